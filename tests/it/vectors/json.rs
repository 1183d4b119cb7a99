//! Strict JSON and RFC 8785 through `canon`.

use fix7_ledger::canon;
use serde_json::Value;

use super::{bytes, file_name, files, text, vectors};

/// Valid JSON that is refused here, and why.
const STRICTER: [(&str, &str); 19] = [
    ("y_number.json", "float"),
    ("y_number_0e+1.json", "float"),
    ("y_number_0e1.json", "float"),
    ("y_number_double_close_to_zero.json", "float"),
    ("y_number_int_with_exp.json", "float"),
    ("y_number_minus_zero.json", "float"),
    ("y_number_negative_zero.json", "float"),
    ("y_number_real_capital_e.json", "float"),
    ("y_number_real_capital_e_neg_exp.json", "float"),
    ("y_number_real_capital_e_pos_exp.json", "float"),
    ("y_number_real_exponent.json", "float"),
    ("y_number_real_fraction_exponent.json", "float"),
    ("y_number_real_neg_exp.json", "float"),
    ("y_number_real_pos_exponent.json", "float"),
    ("y_number_simple_real.json", "float"),
    ("y_object_duplicated_key.json", "duplicate"),
    ("y_object_duplicated_key_and_value.json", "duplicate"),
    ("y_object_extreme_numbers.json", "float"),
    ("y_structure_lonely_negative_real.json", "float"),
];

#[test]
fn json_parsing() {
    let Some(dir) = vectors("json_parsing") else { return };
    let (mut accepted, mut refused, mut free, mut stricter) = (0, 0, 0, Vec::new());
    for path in files(&dir.join("json_parsing")) {
        let name = file_name(&path);
        let read = canon::from_slice_any_spelling::<Value>(&bytes(&path));
        match (name.as_bytes()[0], read.is_ok()) {
            (b'y', true) => accepted += 1,
            (b'y', false) => stricter.push(name.to_owned()),
            (b'n', true) => panic!("{name} is no JSON, and was read"),
            (b'n', false) => refused += 1,
            _ => free += 1,
        }
        if let Ok(value) = read {
            let canonical = canon::to_vec(&value).expect("what is read can be written");
            assert_eq!(canon::from_slice::<Value>(&canonical).expect("canonical"), value, "{name}");
        }
    }
    assert_eq!(stricter, STRICTER.map(|(name, _)| name.to_owned()));
    assert_eq!((accepted + stricter.len(), refused, free), (95, 186, 35));
}

/// Documents of RFC 8785 that are refused here, and why.
const STRICTER_JCS: [(&str, &str); 4] = [
    ("structures.json", "float"),
    ("unicode.json", "not NFC"),
    ("values.json", "float"),
    ("weird.json", "not NFC"),
];

#[test]
fn jcs_documents() {
    let Some(dir) = vectors("jcs_documents") else { return };
    let mut refused = Vec::new();
    for path in files(&dir.join("jcs/input")) {
        let name = file_name(&path).to_owned();
        let output = bytes(&dir.join("jcs/output").join(&name));
        match canon::from_slice_any_spelling::<Value>(&bytes(&path)) {
            Ok(value) => {
                assert_eq!(canon::to_vec(&value).expect("canonical"), output, "{name}");
                assert_eq!(canon::from_slice::<Value>(&output).expect("canonical"), value, "{name}");
            }
            Err(_) => {
                // 56.0 is a float; 56, its canonical spelling, is an integer.
                let canonical = canon::from_slice::<Value>(&output);
                assert_eq!(canonical.is_ok(), name == "structures.json", "{name}");
                refused.push(name);
            }
        }
    }
    assert_eq!(refused, STRICTER_JCS.map(|(name, _)| name.to_owned()));
}

#[test]
fn jcs_numbers() {
    let Some(dir) = vectors("jcs_numbers") else { return };
    let (mut integers, mut others) = (0, 0);
    for line in text(&dir.join("jcs_numbers_sample.tsv")).lines() {
        let (bits, number) = line.split_once('\t').expect("two columns");
        let value = f64::from_bits(u64::from_str_radix(bits, 16).expect("hex"));
        let safe = number.parse::<i64>().is_ok_and(|n| n.unsigned_abs() <= canon::MAX_INTEGER);
        let read = canon::from_slice::<Value>(number.as_bytes());
        match safe {
            true => {
                assert_eq!(canon::to_vec(&read.expect(number)).expect("an integer"), number.as_bytes());
                assert_eq!(number.parse::<f64>(), Ok(value), "{line}");
                integers += 1;
            }
            false => {
                assert!(read.is_err(), "{line}: a float or beyond 2^53-1");
                others += 1;
            }
        }
        assert_eq!(canon::to_vec(&value).is_ok(), safe, "{line}: what cannot be read is not written");
    }
    assert_eq!(integers + others, 2023);
    assert!(integers > 3, "{integers}");
}
