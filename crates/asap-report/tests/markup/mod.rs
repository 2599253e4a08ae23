//! A small reader of HTML and SVG that fails on tags that do not nest.

/// A start tag: its name and its attributes.
pub(crate) struct Tag {
    pub(crate) name: String,
    attributes: Vec<(String, String)>,
}

impl Tag {
    pub(crate) fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }
}

/// All start tags of a document in which every tag is closed, in order, and every `&` and `<` of
/// the text is an entity.
pub(crate) fn tags(document: &str) -> Vec<Tag> {
    let mut rest = document.strip_prefix("<!DOCTYPE html>").unwrap_or(document);
    let (mut open, mut tags): (Vec<String>, Vec<Tag>) = (Vec::new(), Vec::new());
    while let Some(start) = rest.find('<') {
        check_text(&rest[..start]);
        let end = start + rest[start..].find('>').expect("a tag without an end");
        let inner = &rest[start + 1..end];
        rest = &rest[end + 1..];
        if let Some(name) = inner.strip_prefix('/') {
            assert_eq!(
                open.pop().as_deref(),
                Some(name),
                "closed another tag than was open"
            );
            continue;
        }
        let tag = read_tag(inner.trim_end_matches('/'));
        if !inner.ends_with('/') {
            open.push(tag.name.clone());
        }
        tags.push(tag);
    }
    check_text(rest);
    assert!(open.is_empty(), "never closed: {open:?}");
    tags
}

fn check_text(text: &str) {
    for (index, _) in text.match_indices('&') {
        let known = ["&amp;", "&lt;", "&gt;", "&quot;", "&#39;"];
        assert!(
            known.iter().any(|entity| text[index..].starts_with(entity)),
            "bare &: {text}"
        );
    }
    assert!(!text.contains('>'), "bare >: {text}");
}

fn read_tag(inner: &str) -> Tag {
    let (name, mut rest) = inner.split_once(' ').unwrap_or((inner, ""));
    assert!(
        !name.is_empty() && name.chars().all(char::is_alphanumeric),
        "no tag: {inner}"
    );
    let mut attributes: Vec<(String, String)> = Vec::new();
    while !rest.trim().is_empty() {
        let (key, after) = rest
            .split_once("=\"")
            .expect("an attribute without a value");
        let (value, after) = after.split_once('"').expect("a value without an end");
        check_text(value);
        let key = key.trim().to_owned();
        assert!(
            attributes.iter().all(|(other, _)| *other != key),
            "{key} twice in {inner}"
        );
        attributes.push((key, value.to_owned()));
        rest = after;
    }
    Tag {
        name: name.to_owned(),
        attributes,
    }
}
