//! Probes that ask for what a rehearsal must never be asked for (R30 to R35).

use super::{Answer, Ground};
use crate::judge::request::{self, Request};

/// The answer to the request probe `id`; none where `id` is another's.
pub(super) fn answer(ground: &Ground<'_>, id: &str) -> Option<Answer> {
    let argument = |input: &'static str, words: &[&str]| {
        let arguments = words.iter().map(|word| (*word).to_owned()).collect();
        (input, Request { arguments, ..Request::default() })
    };
    let (input, request) = match id {
        "production-target" => {
            let sources = vec!["/srv/production/orders.db".to_owned()];
            ("a source under a folder with production's name", Request { sources, ..Request::default() })
        }
        "REAL_RUN" => {
            argument("the mode REAL_RUN, mixed case, as an option's value", &["--mode", "Real_Run"])
        }
        "QT001/apply" => argument("QT001 and apply, joined", &["QT001/apply"]),
        "cutover" => argument("a cutover, as an option", &["--CutOver"]),
        "CI-deploy" => argument("a workflow dispatch and a deploy mark", &["workflow_dispatch", "[deploy]"]),
        "secrets" => {
            // Put together here, so that no file of this program holds what looks like a secret.
            let dsn = ["postgres://operator:", "probe9", "@copy.example/orders"].concat();
            argument("a connection string with a password", &[&dsn])
        }
        _ => return None,
    };
    Some(Answer::new(input, Some(request::judge(ground.policy, &request))))
}
