//! Text that comes from files, made safe to stand in HTML and SVG.

/// The text with `&`, `<`, `>` and quotes as entities, for content and for attributes; control
/// characters, which XML forbids, become spaces.
pub(crate) fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            '\n' | '\t' => safe.push(character),
            _ if character.is_control() => safe.push(' '),
            _ => safe.push(character),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_could_open_a_tag_or_end_an_attribute_is_left() {
        assert_eq!(
            escape("<script a=\"1\" b='2'>&amp;\u{1b}[0m\n"),
            "&lt;script a=&quot;1&quot; b=&#39;2&#39;&gt;&amp;amp; [0m\n"
        );
    }
}
