//! Rust source without its comments and the text of its literals.
//!
//! A check for a word must not stumble over prose: everything that is not code becomes blanks, and
//! every line stays where it was.

/// `text` with comments and the contents of string and character literals blanked.
pub(super) fn code_only(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        // A letter before a quote would be the end of a name: only `r`, `b` and `c` open literals.
        let in_word = out.ends_with(|c: char| c.is_alphanumeric() || c == '_');
        let length = literal_length(rest, in_word);
        if length == 0 {
            out.push(first);
            rest = &rest[first.len_utf8()..];
        } else {
            blank(&rest[..length], &mut out);
            rest = &rest[length..];
        }
    }
    out
}

/// Lines of code that contain `word` as a whole word, counted from 1.
pub(super) fn lines_with_word<'a>(
    code: &'a str,
    word: &'a str,
) -> impl Iterator<Item = usize> + 'a {
    code.lines()
        .enumerate()
        .filter(move |(_, line)| has_word(line, word))
        .map(|(i, _)| i + 1)
}

/// The identifiers of a piece of code, in order, with their lines counted from 1.
pub(super) fn identifiers(code: &str) -> impl Iterator<Item = (usize, &str)> {
    code.lines().enumerate().flat_map(|(i, line)| {
        line.split(|c: char| !(c.is_alphanumeric() || c == '_'))
            .filter(|word| !word.is_empty())
            .map(move |word| (i + 1, word))
    })
}

fn has_word(line: &str, word: &str) -> bool {
    let part_of_word = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word).any(|(at, _)| {
        !line[..at].ends_with(part_of_word) && !line[at + word.len()..].starts_with(part_of_word)
    })
}

fn blank(text: &str, out: &mut String) {
    out.extend(text.chars().map(|c| if c == '\n' { '\n' } else { ' ' }));
}

/// Bytes of the comment or literal that `rest` begins with; 0 if it begins with code.
fn literal_length(rest: &str, in_word: bool) -> usize {
    if rest.starts_with("//") {
        return rest.find('\n').unwrap_or(rest.len());
    }
    if rest.starts_with("/*") {
        return block_comment_length(rest);
    }
    if rest.starts_with('\'') {
        return character_length(rest);
    }
    if rest.starts_with('"') {
        return quoted_length(rest);
    }
    if in_word {
        return 0;
    }
    let prefix = rest.len() - rest.trim_start_matches(['r', 'b', 'c']).len();
    let (letters, after) = rest.split_at(prefix);
    let quoted = match letters {
        "b" | "c" if after.starts_with('"') => quoted_length(after),
        "r" | "br" | "cr" => raw_length(after),
        _ => 0,
    };
    if quoted == 0 { 0 } else { prefix + quoted }
}

fn block_comment_length(rest: &str) -> usize {
    let mut depth = 0usize;
    let mut at = 0;
    while at < rest.len() {
        if rest[at..].starts_with("/*") {
            depth += 1;
            at += 2;
        } else if rest[at..].starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += rest[at..].chars().next().map_or(1, char::len_utf8);
        }
    }
    rest.len()
}

fn quoted_length(rest: &str) -> usize {
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    rest.len()
}

/// A raw string without its prefix: `##"..."##`. A raw identifier, `r#type`, is code: 0 hashes fit.
fn raw_length(rest: &str) -> usize {
    let hashes = rest.len() - rest.trim_start_matches('#').len();
    if !rest[hashes..].starts_with('"') {
        return 0;
    }
    let end = format!("\"{}", "#".repeat(hashes));
    rest[hashes + 1..]
        .find(&end)
        .map_or(rest.len(), |at| hashes + 1 + at + end.len())
}

/// A character literal, or 0 for a lifetime.
fn character_length(rest: &str) -> usize {
    let mut chars = rest.char_indices().skip(1);
    match (chars.next(), chars.next()) {
        (Some((_, '\\')), Some(_)) => {
            // The escaped character itself may be a quote: look behind it.
            chars.find(|(_, c)| *c == '\'').map_or(0, |(at, _)| at + 1)
        }
        (Some(_), Some((at, '\''))) => at + 1,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_literals_become_blanks() {
        let code =
            code_only("let a = \"unsafe\"; // unsafe\n/* unsafe /* nested */ unsafe */ let b;");
        assert!(!code.contains("unsafe"), "{code}");
        assert!(
            code.contains("let a =") && code.contains("let b;"),
            "{code}"
        );
        assert_eq!(code.lines().count(), 2);
    }

    #[test]
    fn raw_strings_end_where_their_hashes_do() {
        let code = code_only("f(r#\"unsafe \" unsafe\"#); let r#type = br\"unsafe\"; g(b\"x\")");
        assert!(!code.contains("unsafe"), "{code}");
        assert!(code.contains("r#type") && code.contains("g("), "{code}");
    }

    #[test]
    fn quotes_in_characters_do_not_open_strings() {
        let code = code_only("let q = '\"'; let e = '\\''; let l: &'static str = x; unsafe {}");
        assert!(code.contains("unsafe {}"), "{code}");
        assert!(code.contains("&'static str"), "{code}");
    }

    #[test]
    fn a_word_is_found_whole() {
        let code = "unsafe_op\nlet x = unsafe { 1 };\nmy_unsafe";
        assert_eq!(lines_with_word(code, "unsafe").collect::<Vec<_>>(), [2]);
    }
}
