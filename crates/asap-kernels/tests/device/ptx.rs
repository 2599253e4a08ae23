//! PTX, as nvcc writes it, into C++ that the shim runs: a statement for an instruction, on a line with the same number, so that places
//! of the code are those of the PTX. What an instruction does is a function of `ptx.hpp`, named as the instruction is; one that is
//! missing there does not compile. What is not understood is an error: nothing is passed over that a device would do.

/// C++ of all entries of a module; `counted`: each tells the shim (`asap_issued`) how many instructions it has run.
///
/// # Errors
/// The first line that is not understood, or what the text ends inside of.
pub(crate) fn translate(ptx: &str, counted: bool) -> Result<String, String> {
    let mut module = Module {
        counted,
        ..Module::default()
    };
    let mut code = String::with_capacity(2 * ptx.len());
    for (index, line) in ptx.lines().enumerate() {
        let text = line.split("//").next().unwrap_or_default();
        let translated = module.line(text.trim());
        code +=
            &translated.ok_or_else(|| format!("line {} is not understood: {line}", index + 1))?;
        code.push('\n');
    }
    if module.depth > 0 || !module.begun.is_empty() {
        return Err("the text ends inside of an entry".to_owned());
    }
    Ok(code)
}

/// Where the translation is.
#[derive(Default)]
struct Module {
    /// Brackets that are open.
    depth: u32,
    /// The array that is the block's shared memory.
    shared: Option<String>,
    /// Names of the parameters of all entries and functions so far, of 4 or 8 bytes.
    parameters: Vec<String>,
    /// A statement that goes on in the next line.
    begun: String,
    /// Whether instructions are counted, and how many there are since the last were added up.
    counted: bool,
    issued: u32,
}

impl Module {
    fn line(&mut self, text: &str) -> Option<String> {
        if self.depth == 0 {
            return self.head(text);
        }
        let mut code = String::new();
        let mut rest = text;
        while !rest.is_empty() {
            if self.begun.is_empty() {
                if let Some(after) = rest.strip_prefix(['{', '}']) {
                    let is_open = rest.starts_with('{');
                    // What follows the end of an entry on its line would be outside of all.
                    self.depth = if is_open {
                        self.depth + 1
                    } else {
                        self.depth - 1
                    };
                    if self.depth == 0 && !after.is_empty() {
                        return None;
                    }
                    code.push(if is_open { '{' } else { '}' });
                    rest = after.trim();
                    continue;
                }
                if let Some(label) = rest.strip_suffix(':') {
                    code += &self.count();
                    code += &format!("{}: ;", label.strip_prefix('$')?);
                    break;
                }
            }
            let Some((statement, after)) = rest.split_once(';') else {
                self.begun += rest;
                self.begun.push(' ');
                break;
            };
            let whole = std::mem::take(&mut self.begun) + statement;
            let whole = whole.trim();
            // Machine code has next to no moves, and constants for parameters and addresses.
            let is_free = [".", "mov.", "cvta.", "ld.param.", "st.param."];
            if !is_free.iter().any(|begin| whole.starts_with(begin)) {
                self.issued += 1;
            }
            if whole == "ret" || whole.split_whitespace().any(|word| word.starts_with("bra")) {
                code += &self.count();
            }
            if whole == "ret" && self.counted {
                code += "asap_issued(issued); ";
            }
            code += &self.statement(whole)?;
            rest = after.trim();
        }
        Some(code)
    }

    /// Adds up what was issued: where what follows may not be issued as often.
    fn count(&mut self) -> String {
        match std::mem::take(&mut self.issued) {
            issued if issued > 0 && self.counted => format!("issued += {issued}; "),
            _ => String::new(),
        }
    }

    /// Outside of all entries.
    fn head(&mut self, text: &str) -> Option<String> {
        let mut words = text.split_whitespace();
        let Some(first) = words.next() else {
            return Some(String::new());
        };
        match first {
            ".version" | ".target" | ".address_size" | ".maxntid" | ".minnctapersm" => {
                Some(String::new())
            }
            ".extern" if words.next() == Some(".shared") => {
                self.shared = Some(words.last()?.strip_suffix("[];")?.to_owned());
                Some(String::new())
            }
            ".visible" => {
                let entry = text.strip_prefix(".visible .entry ")?;
                Some(format!("extern \"C\" void {entry}"))
            }
            // What entries call.
            ".func" => {
                let function = text.strip_prefix(".func ")?;
                let is_name = function.starts_with(|c: char| c.is_alphanumeric() || c == '_');
                is_name.then(|| format!("static __attribute__((noinline)) void {function}"))
            }
            ".param" => {
                let (kind, name) = parameter(text)?;
                let bare = name.strip_suffix(',').unwrap_or(name);
                self.parameters.push(bare.to_owned());
                Some(format!("{kind} {name}"))
            }
            ")" => Some(text.to_owned()),
            "{" => {
                self.depth = 1;
                let issued = if self.counted {
                    " uint32_t issued = 0;"
                } else {
                    ""
                };
                Some(format!("{text}{issued}"))
            }
            _ => None,
        }
    }

    fn statement(&self, text: &str) -> Option<String> {
        if let Some(guarded) = text.strip_prefix('@') {
            let (guard, statement) = guarded.split_once(char::is_whitespace)?;
            let (not, register) = match guard.strip_prefix('!') {
                Some(register) => ("!", register),
                None => ("", guard),
            };
            let guard = self.operand(register)?;
            let statement = self.statement(statement.trim())?;
            return Some(format!("if ({not}{guard}) {{ {statement} }}"));
        }
        let (name, operands) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
        match name {
            ".reg" => return declarations(operands),
            // What a function is called with.
            ".param" => {
                let (kind, name) = parameter(text)?;
                return Some(format!("{kind} {name};"));
            }
            "st.param.b32" | "st.param.b64" => {
                let (place, value) = operands.split_once(',')?;
                let name = place.trim().strip_prefix('[')?.strip_suffix("+0]")?;
                return Some(format!("{name} = {};", self.operand(value.trim())?));
            }
            "call.uni" => {
                let (function, parameters) = operands.trim().split_once(',')?;
                let list = parameters.trim().strip_prefix('(')?.strip_suffix(')')?;
                let is_name = |c: char| c.is_ascii_alphanumeric() || "_, ".contains(c);
                let is_list = list.chars().all(is_name);
                return is_list.then(|| format!("{function}({list});"));
            }
            ".pragma" => return Some(String::new()),
            "bra" | "bra.uni" => {
                return Some(format!("goto {};", operands.trim().strip_prefix('$')?));
            }
            "ret" => return Some("return;".to_owned()),
            _ => {}
        }
        if !name.starts_with(|c: char| c.is_ascii_lowercase()) {
            return None;
        }
        let function = name.replace([':', '.'], "_");
        let mut operands = split(operands)
            .into_iter()
            .map(|operand| self.operands(operand))
            .collect::<Option<Vec<_>>>()?;
        let has_no_result = ["st.", "bar."].iter().any(|begin| name.starts_with(begin));
        // One result is what the function returns, several are its first arguments.
        if has_no_result || operands.first()?.len() > 1 {
            return Some(format!("{function}({});", operands.concat().join(", ")));
        }
        let result = operands.remove(0).remove(0);
        let operands = operands.concat().join(", ");
        Some(format!("{result} = {function}({operands});"))
    }

    /// An operand: `{a, b}` and `a|b` are several, `[a+4]` is one.
    fn operands(&self, text: &str) -> Option<Vec<String>> {
        if let Some(list) = text.strip_prefix('{') {
            let list = list.strip_suffix('}')?;
            return list
                .split(',')
                .map(|one| self.operand(one.trim()))
                .collect();
        }
        if let Some((one, other)) = text.split_once('|') {
            return Some(vec![self.operand(one)?, self.operand(other)?]);
        }
        if let Some(address) = text.strip_prefix('[') {
            let address = address.strip_suffix(']')?;
            if self.parameters.iter().any(|name| name == address) {
                return Some(vec![address.to_owned()]);
            }
            let (base, offset) = address.split_once('+').unwrap_or((address, "0"));
            let offset: i32 = offset.parse().ok()?;
            return Some(vec![format!("{} + {offset}", self.operand(base)?)]);
        }
        Some(vec![self.operand(text)?])
    }

    fn operand(&self, text: &str) -> Option<String> {
        if let Some(register) = text.strip_prefix('%') {
            return Some(match register.split_once('.') {
                None => register.to_owned(),
                Some(("tid", axis)) => format!("threadIdx.{axis}"),
                Some(("ntid", axis)) => format!("blockDim.{axis}"),
                Some(("ctaid", axis)) => format!("blockIdx.{axis}"),
                Some(("nctaid", axis)) => format!("gridDim.{axis}"),
                Some(_) => return None,
            });
        }
        for (prefix, digits, function) in [("0f", 8, "f32_of_bits"), ("0d", 16, "f64_of_bits")] {
            if let Some(bits) = text.strip_prefix(prefix) {
                return (bits.len() == digits).then(|| format!("{function}(0x{bits}u)"));
            }
        }
        if self.shared.as_deref() == Some(text) {
            return Some("ASAP_SHARED_MEMORY".to_owned());
        }
        // What fits in 32 bits with a sign gets its sign in 64 too.
        if let Ok(number) = text.parse::<i32>() {
            let is_least = number == i32::MIN;
            return Some(if is_least { "INT32_MIN" } else { text }.to_owned());
        }
        let bits = text.parse().map(|number: i64| number as u64);
        let bits = bits.or_else(|_| text.parse::<u64>()).ok()?;
        Some(format!("{bits:#x}u"))
    }
}

/// `.param .u64 name`: a type of C++, and the name.
fn parameter(text: &str) -> Option<(&'static str, &str)> {
    let (kind, name) = text.strip_prefix(".param ")?.split_once(' ')?;
    match kind {
        ".b32" | ".u32" => Some(("uint32_t", name)),
        ".b64" | ".u64" => Some(("uint64_t", name)),
        _ => None,
    }
}

/// `.f32 %f<57>`: `%f0` to `%f56`; `.b32 %temp`: that.
fn declarations(text: &str) -> Option<String> {
    let (kind, names) = text.split_once(char::is_whitespace)?;
    let kind = match kind {
        ".pred" => "bool",
        ".b16" => "uint16_t",
        ".b32" => "uint32_t",
        ".b64" => "uint64_t",
        ".f32" => "float",
        ".f64" => "double",
        _ => return None,
    };
    // nvcc gives a register beside a call no mark, and does not use it.
    let names = names.trim();
    let names = names.strip_prefix('%').unwrap_or(names);
    let Some((stem, count)) = names.split_once('<') else {
        return Some(format!("{kind} {names};"));
    };
    let count: u32 = count.strip_suffix('>')?.parse().ok()?;
    let names: Vec<String> = (0..count).map(|i| format!("{stem}{i}")).collect();
    Some(format!("{kind} {};", names.join(", ")))
}

/// Operands, at commas that are in no bracket.
fn split(text: &str) -> Vec<&str> {
    let mut depth = 0;
    let parts = text.split(|c| {
        match c {
            '{' | '[' => depth += 1,
            '}' | ']' => depth -= 1,
            _ => {}
        }
        c == ',' && depth == 0
    });
    parts
        .map(str::trim)
        .filter(|part| !part.is_empty())
        .collect()
}
