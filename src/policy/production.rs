//! What is production: names that are never a rehearsal's target (requirements R17, R30).
//!
//! Owns: matching one name against the deny lists. Must not: resolve a name; the caller gives every form that
//! it knows (as typed, with links resolved, the host's address).

use super::Policy;

impl Policy {
    /// The rule by which `name` (a path, a host, a database name, a whole connection string) is production.
    ///
    /// ```
    /// # use fix7_ledger::policy::Policy;
    /// let policy = Policy::default_policy();
    /// assert_eq!(policy.names_production("/srv/PROD/orders.db").as_deref(), Some("production.words `prod`"));
    /// assert_eq!(policy.names_production("/srv/products/orders.db"), None);
    /// ```
    pub fn names_production(&self, name: &str) -> Option<String> {
        let p = self.production();
        let lower = name.to_lowercase();
        if let Some(path) = p.paths.iter().find(|path| below(&lower, &path.to_lowercase(), '/')) {
            return Some(format!("production.paths `{path}`"));
        }
        let is_name = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.';
        for part in lower.split(|c| !is_name(c)).map(|part| part.trim_end_matches('.')) {
            let host = p.hosts.iter().find(|host| {
                let host = host.to_lowercase();
                part == host || part.strip_suffix(&host).is_some_and(|rest| rest.ends_with('.'))
            });
            if let Some(host) = host {
                return Some(format!("production.hosts `{host}`"));
            }
            if let Some(id) = p.system_identifiers.iter().find(|id| part == **id) {
                return Some(format!("production.system_identifiers `{id}`"));
            }
        }
        // Digits end a word too (prod1, db-prod02), and so does a capital inside of a name (ordersProd).
        let humps = name.split(|c: char| !c.is_ascii_alphanumeric()).filter_map(last_hump);
        let mut rest = lower;
        for exception in &p.exceptions {
            rest = rest.replace(&exception.to_lowercase(), "/");
        }
        let words = rest.split(|c: char| !c.is_alphabetic()).map(str::to_owned);
        let is_production = |part: String| p.words.iter().find(|word| part == word.to_lowercase());
        words.chain(humps).find_map(is_production).map(|word| format!("production.words `{word}`"))
    }

    /// Whether a PostgreSQL system identifier is that of a production cluster.
    pub fn is_production_system(&self, identifier: &str) -> bool {
        self.production().system_identifiers.iter().any(|id| id == identifier.trim())
    }
}

/// `ordersProd` gives `prod`.
fn last_hump(part: &str) -> Option<String> {
    let at = part.rfind(|c: char| c.is_ascii_uppercase())?;
    let before_is_lower = part[..at].ends_with(|c: char| c.is_ascii_lowercase());
    before_is_lower.then(|| part[at..].trim_end_matches(|c: char| c.is_ascii_digit()).to_lowercase())
}

fn below(name: &str, top: &str, separator: char) -> bool {
    let top = top.trim_end_matches(separator);
    name.strip_prefix(top).is_some_and(|rest| rest.is_empty() || rest.starts_with(separator))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn production_is_seen_in_paths_hosts_and_names_and_its_twins_are_not() {
        let text = std::str::from_utf8(Policy::DEFAULT).expect("UTF-8");
        let text = text
            .replace("hosts = []", "hosts = [\"db.example.org\"]")
            .replace("paths = []", "paths = [\"/var/lib/main\"]")
            .replace("system_identifiers = []", "system_identifiers = [\"7301234567890123456\"]");
        let policy = Policy::parse(text.as_bytes()).expect("a policy");
        let pairs = [
            ("/srv/prod/a.db", "/srv/product/a.db"),
            ("/srv/orders-PRODUCTION.db", "/srv/orders-reproduction.db"),
            ("/srv/ordersProd.db", "/srv/ordersProduct.db"),
            ("db-prod01", "db-produce01"),
            ("postgres://u@db.example.org/x", "postgres://u@db.example.com/x"),
            ("postgres://u@replica.db.example.org:5432/x", "postgres://u@xdb.example.org:5432/x"),
            ("/var/lib/main/a.db", "/var/lib/mainly/a.db"),
            ("7301234567890123456", "7301234567890123457"),
            ("host=h dbname=prod user=u", "host=h dbname=production-shaped user=u"),
        ];
        for (bad, good) in pairs {
            assert!(policy.names_production(bad).is_some(), "{bad}");
            assert_eq!(policy.names_production(good), None, "{good}");
        }
        assert!(policy.is_production_system("7301234567890123456"));
        assert!(!policy.is_production_system("1"));
    }
}
