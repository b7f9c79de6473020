//! The order of words on the command line.

use std::ffi::OsString;

/// kubectl's flags that may stand before the command, as in `kubectl -n shop get pods`; each takes a value.
const BEFORE: [&str; 5] = ["--kubeconfig", "--context", "--namespace", "-n", "--weft-namespace"];

/// Moves kubectl's flags from before the command to behind it, where the commands that know a cluster take them and the
/// others refuse them. `line` begins with the program's name.
pub fn ordered(line: Vec<OsString>) -> Vec<OsString> {
    let mut moved = Vec::new();
    let mut words = line.into_iter();
    let mut result: Vec<OsString> = words.next().into_iter().collect();
    let command = loop {
        let Some(word) = words.next() else { break None };
        let text = word.to_string_lossy();
        let known = BEFORE.iter().find(|flag| text == **flag || text.starts_with(&format!("{flag}=")));
        match known {
            Some(flag) => {
                let value = if text == **flag { words.next() } else { None };
                moved.push(word);
                moved.extend(value);
            }
            None => break Some(word),
        }
    };
    let Some(command) = command else {
        result.extend(moved);
        return result;
    };
    result.push(command);
    result.extend(moved);
    result.extend(words);
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(line: &str) -> String {
        let words = ordered(line.split(' ').map(OsString::from).collect());
        words.iter().map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn flags_go_behind_the_command() {
        assert_eq!(order("weft -n shop --context=c status -o json"), "weft status -n shop --context=c -o json");
        assert_eq!(order("weft status -n shop"), "weft status -n shop");
        assert_eq!(order("weft --help"), "weft --help");
        assert_eq!(order("weft -n"), "weft -n");
        assert_eq!(order("weft"), "weft");
    }
}
