//! Reads the small part of Python that DARTS genotypes are written in.

use crate::{Error, Operation, Result};

/// A place in a text and what can be read from there, past white space and `#` comments.
pub(crate) struct Reader<'a> {
    text: &'a str,
    position: usize,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        let mut reader = Self { text, position: 0 };
        reader.skip_space();
        reader
    }

    /// Where the next token starts.
    pub(crate) fn position(&self) -> usize {
        self.position
    }

    pub(crate) fn next_is(&self, character: char) -> bool {
        self.rest().starts_with(character)
    }

    pub(crate) fn take(&mut self, character: char) -> Result<()> {
        if !self.next_is(character) {
            return Err(self.error(&format!("`{character}`")));
        }
        self.advance(character.len_utf8());
        Ok(())
    }

    /// A name: letters, digits and underscores.
    pub(crate) fn word(&mut self, expected: &str) -> Result<&'a str> {
        let rest = self.rest();
        let length = rest
            .find(|character: char| !character.is_alphanumeric() && character != '_')
            .unwrap_or(rest.len());
        if length == 0 {
            return Err(self.error(expected));
        }
        self.advance(length);
        Ok(&rest[..length])
    }

    /// A list in brackets, or in parentheses; a comma may follow the last item.
    pub(crate) fn list<T>(&mut self, item: impl Fn(&mut Self) -> Result<T>) -> Result<Vec<T>> {
        let close = if self.next_is('(') { ')' } else { ']' };
        self.take(if close == ')' { '(' } else { '[' })?;
        let mut items = Vec::new();
        while !self.next_is(close) {
            items.push(item(self)?);
            if !self.next_is(close) {
                self.take(',')?;
            }
        }
        self.take(close)?;
        Ok(items)
    }

    /// An input, `('sep_conv_3x3', 0)`.
    pub(crate) fn input(&mut self) -> Result<(Operation, usize)> {
        self.take('(')?;
        let quote = if self.next_is('"') { '"' } else { '\'' };
        self.take(quote)?;
        let operation = self.word("an operation")?.parse()?;
        self.take(quote)?;
        self.take(',')?;
        let from = self.number()?;
        self.take(')')?;
        Ok((operation, from))
    }

    /// Node numbers, `[2, 3, 4, 5]` or `range(2, 6)`.
    pub(crate) fn nodes(&mut self) -> Result<Vec<usize>> {
        if !self.next_is('r') {
            return self.list(Self::number);
        }
        let start = self.position;
        if self.word("`range(`")? != "range" {
            return Err(self.error_at(start, "a list or a `range`"));
        }
        let bounds = self.list(Self::number)?;
        match bounds[..] {
            // No cell has this many nodes: the bound keeps a wild number from filling the memory.
            [first, end] if end <= 64 => Ok((first..end).collect()),
            _ => Err(self.error_at(start, "`range(2, 6)`")),
        }
    }

    pub(crate) fn end(&self) -> Result<()> {
        if self.rest().is_empty() {
            Ok(())
        } else {
            Err(self.error("the end of the text"))
        }
    }

    /// The error that something else stands at the next token.
    pub(crate) fn error(&self, expected: &str) -> Error {
        self.error_at(self.position, expected)
    }

    /// The error that something else stands at an earlier token.
    pub(crate) fn error_at(&self, position: usize, expected: &str) -> Error {
        let before = &self.text[..position];
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let rest = &self.text[position..];
        let length = rest
            .find(|character: char| !character.is_alphanumeric() && character != '_')
            .unwrap_or(rest.len());
        let found = match rest.chars().next() {
            None => "the end of the text".to_owned(),
            Some(character) if length == 0 => format!("`{character}`"),
            // A token can be as long as the text: its start is enough to find it.
            Some(_) => format!("`{}`", rest[..length].chars().take(40).collect::<String>()),
        };
        Error::DartsText {
            line: before.matches('\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
            expected: expected.to_owned(),
            found,
        }
    }

    fn number(&mut self) -> Result<usize> {
        let start = self.position;
        let word = self.word("a node number")?;
        word.parse()
            .map_err(|_| self.error_at(start, "a node number"))
    }

    fn rest(&self) -> &'a str {
        &self.text[self.position..]
    }

    fn advance(&mut self, bytes: usize) {
        self.position += bytes;
        self.skip_space();
    }

    fn skip_space(&mut self) {
        loop {
            let rest = self.rest();
            let trimmed = rest.trim_start();
            self.position += rest.len() - trimmed.len();
            if !trimmed.starts_with('#') {
                return;
            }
            self.position += trimmed.find('\n').unwrap_or(trimmed.len());
        }
    }
}
