//! What is made of PTX does what the manual says, instruction by instruction, through the whole path: text, C++, a launch.

mod lanes;
mod numbers;

use std::fmt::Write;
use std::sync::OnceLock;

use asap_kernels::device::{Device, Launch, Work};

use crate::compile::{Kernels, ptx};
use crate::host::HostDevice;

const LANES: u64 = 32;
/// Bytes of scratch for each lane, in either space.
const SCRATCH: u32 = 16;

/// Instructions that leave a result in the first register that they name, in every lane of a warp.
struct Case {
    code: String,
    /// What `%x`, `%y` and `%z` are in a lane. `%w0` to `%w2` are their lower 32 bits, `%h0` and `%h1` their lower 16, `%f0` to `%f2` the
    /// float of the lower 32, `%d0` to `%d2` that of all.
    given: Box<dyn Fn(u64) -> [u64; 3]>,
    expected: Box<dyn Fn(u64) -> u64>,
}

impl Case {
    fn of_lanes(
        code: &str,
        given: impl Fn(u64) -> [u64; 3] + 'static,
        expected: impl Fn(u64) -> u64 + 'static,
    ) -> Self {
        Self {
            code: code.to_owned(),
            given: Box::new(given),
            expected: Box::new(expected),
        }
    }

    /// The same in all lanes; what is not given is 0.
    fn new(code: &str, given: &[u64], expected: u64) -> Self {
        let given = [0, 1, 2].map(|i| given.get(i).copied().unwrap_or_default());
        Self::of_lanes(code, move |_| given, move |_| expected)
    }

    /// The register of the result: of 64, 32 or 16 bits, a float, or a predicate.
    fn result(&self) -> &str {
        let end = |c: char| !c.is_ascii_alphanumeric();
        let name = self.code.split('%').nth(1).unwrap();
        name.split(end).next().unwrap()
    }

    fn bits(&self) -> u64 {
        match self.result() {
            "q" | "d" => u64::MAX,
            "r" | "f" => u32::MAX.into(),
            "h" => u16::MAX.into(),
            "p" => 1,
            other => panic!("%{other} is no result"),
        }
    }

    /// What the lane reads: operands, and what its result begins with, all bits of which are wrong.
    fn read(&self, lane: u64) -> [u64; 4] {
        let [x, y, z] = (self.given)(lane);
        [x, y, z, !(self.expected)(lane)]
    }
}

fn all_cases() -> Vec<Case> {
    [numbers::all(), lanes::all()]
        .into_iter()
        .flatten()
        .collect()
}

/// What no device does, by the name of the entry.
const MISTAKES: [(&str, &str); 5] = [
    (
        "global_access_to_shared",
        "cvt.u64.u32 %q, %s; cvta.shared.u64 %q, %q; cvta.to.global.u64 %q, %q;\nst.global.u32 [%q], 1;",
    ),
    (
        "vector_that_is_not_aligned",
        "st.global.v2.u32 [%g+4], {1, 2};",
    ),
    ("race", "st.shared.u32 [%s], 1;\nld.shared.u32 %r, [%t];"),
    ("read_beyond", "ld.global.u32 %r, [%g+1000000];"),
    (
        "shared_address_0",
        "mov.u32 %t, 0;\nld.shared.u32 %r, [%t];",
    ),
];

/// A module with all cases in one entry, and an entry for each mistake.
fn module(cases: &[Case]) -> String {
    let mut text = String::from(
        ".version 7.8\n.target sm_90\n.address_size 64\n\n.extern .shared .align 16 .b8 scratch[];\n\n",
    );
    let entry = |text: &mut String, name: &str| {
        let parameters = format!(".param .u64 {name}_param_0,\n.param .u64 {name}_param_1");
        writeln!(text, ".visible .entry {name}(\n{parameters}\n)").unwrap();
        writeln!(text, ".maxntid 32, 1, 1\n{{\n{REGISTERS}").unwrap();
        for (register, parameter) in [("in", 0), ("out", 1)] {
            writeln!(
                text,
                "ld.param.u64 %{register}, [{name}_param_{parameter}];"
            )
            .unwrap();
            writeln!(text, "cvta.to.global.u64 %{register}, %{register};").unwrap();
        }
        writeln!(text, "{BEGIN}").unwrap();
    };
    entry(&mut text, "cases");
    for (index, case) in cases.iter().enumerate() {
        // The result goes out with all other bits 0.
        let out = match case.result() {
            "h" => "cvt.u32.u16 %r, %h;\ncvt.u64.u32 %q, %r;",
            "r" => "cvt.u64.u32 %q, %r;",
            "f" => "mov.b32 %r, %f;\ncvt.u64.u32 %q, %r;",
            "d" => "mov.b64 %q, %d;",
            "p" => "selp.b64 %q, 1, 0, %p;",
            _ => "",
        };
        let code = case.code.replace("$OVER", &format!("$OVER_{index}"));
        writeln!(text, "{LOAD}\n{code}\n{out}\nst.global.u64 [%out], %q;").unwrap();
        writeln!(text, "add.s64 %in, %in, 1024;\nadd.s64 %out, %out, 256;").unwrap();
    }
    text += "ret;\n}\n";
    for (name, code) in MISTAKES {
        entry(&mut text, name);
        let out = "cvt.u64.u32 %q, %r;\nst.global.u64 [%out], %q;";
        writeln!(text, "{code}\n{out}\nret;\n}}").unwrap();
    }
    text
}

const REGISTERS: &str = ".reg .b64 %in;\n.reg .b64 %out;\n.reg .b64 %g;\n.reg .b64 %x;\n.reg .b64 %y;\n.reg .b64 %z;\n.reg .b64 %q;
.reg .b32 %lane;\n.reg .b32 %s;\n.reg .b32 %t;\n.reg .b32 %u;\n.reg .b32 %v;\n.reg .b32 %r;\n.reg .b32 %w<3>;\n.reg .b32 %a<4>;\n.reg .b32 %b<2>;
.reg .b16 %h;\n.reg .b16 %h0;\n.reg .b16 %h1;\n.reg .f32 %f;\n.reg .f32 %f0;\n.reg .f32 %f1;\n.reg .f32 %f2;\n.reg .f32 %e<4>;
.reg .f64 %d;\n.reg .f64 %d0;\n.reg .f64 %d1;\n.reg .f64 %d2;\n.reg .pred %p;\n.reg .pred %c;";

/// The lane's places: of what it reads and writes, of its scratch in the memory behind the results and in the shared one, and of its
/// neighbour's there.
const BEGIN: &str = "mov.u32 %lane, %tid.x;
mul.wide.u32 %q, %lane, 32;\nadd.s64 %in, %in, %q;
ld.global.u64 %g, [%in];\nmul.wide.u32 %q, %lane, 16;\nadd.s64 %g, %g, %q;\nadd.s64 %in, %in, 1024;
mul.wide.u32 %q, %lane, 8;\nadd.s64 %out, %out, %q;
mov.u32 %r, scratch;\nmad.lo.s32 %s, %lane, 16, %r;\nxor.b32 %t, %lane, 1;\nmad.lo.s32 %u, %t, 16, %r;\nmov.u32 %t, %u;";

/// A case's operands, and a wrong result in each register that may be one.
const LOAD: &str = "ld.global.u64 %x, [%in];\nld.global.u64 %y, [%in+8];\nld.global.u64 %z, [%in+16];\nld.global.u64 %q, [%in+24];
cvt.u32.u64 %w0, %x;\ncvt.u32.u64 %w1, %y;\ncvt.u32.u64 %w2, %z;\ncvt.u16.u32 %h0, %w0;\ncvt.u16.u32 %h1, %w1;
mov.b32 %f0, %w0;\nmov.b32 %f1, %w1;\nmov.b32 %f2, %w2;\nmov.b64 %d0, %x;\nmov.b64 %d1, %y;\nmov.b64 %d2, %z;
cvt.u32.u64 %r, %q;\ncvt.u16.u32 %h, %r;\nmov.b32 %f, %r;\nmov.b64 %d, %q;\nand.b32 %t, %r, 1;\nsetp.eq.s32 %p, %t, 1;
mov.pred %c, 0;\nmov.u32 %t, %u;";

/// A host with the module, and where its operands and results lie.
struct Bench {
    device: HostDevice,
    given: u64,
    results: u64,
}

impl Bench {
    fn new(cases: &[Case]) -> Self {
        static KERNELS: OnceLock<Kernels> = OnceLock::new();
        let kernels =
            KERNELS.get_or_init(|| Kernels::of_ptx("instructions", &module(&all_cases())));
        let mut device = HostDevice::with_kernels(kernels, 1);
        let scratch = device.allocate(SCRATCH as usize * 32).unwrap();
        let mut given = vec![[scratch, 0, 0, 0]; 32];
        for case in cases {
            given.extend((0..LANES).map(|lane| case.read(lane)));
        }
        let given = given.concat();
        let given: Vec<u8> = given.iter().flat_map(|word| word.to_ne_bytes()).collect();
        let at = device.allocate(given.len()).unwrap();
        device.upload(at, &given).unwrap();
        Self {
            results: device.allocate(8 * 32 * cases.len().max(1)).unwrap(),
            given: at,
            device,
        }
    }

    fn launch(&mut self, kernel: &'static str) -> Result<(), String> {
        let launch = Launch {
            kernel,
            grid: [1, 1, 1],
            shared_bytes: 32 * SCRATCH,
            jobs: self.given,
            step: self.results,
            work: Work::default(),
        };
        self.device.try_launch(&launch, 32)
    }
}

#[test]
fn instructions_do_what_the_manual_says() {
    let cases = all_cases();
    let mut bench = Bench::new(&cases);
    bench.launch("cases").unwrap();
    let mut found = vec![0_u8; 8 * 32 * cases.len()];
    bench.device.download(bench.results, &mut found).unwrap();
    let mut found = found.chunks_exact(8);
    for case in &cases {
        for lane in 0..LANES {
            let found = u64::from_ne_bytes(found.next().unwrap().try_into().unwrap());
            let expected = (case.expected)(lane) & case.bits();
            let operands = (case.given)(lane);
            assert_eq!(
                found, expected,
                "{found:#x}, not {expected:#x}, of {operands:#x?} in lane {lane}: {}",
                case.code
            );
        }
    }
}

#[test]
fn what_no_device_does_is_found() {
    for (name, says) in [
        (
            "global_access_to_shared",
            "a global access to shared memory",
        ),
        (
            "vector_that_is_not_aligned",
            "an access to what is not aligned",
        ),
        ("race", "nothing orders the two"),
        ("read_beyond", "outside of all memory"),
        (
            "shared_address_0",
            "at byte -1024 of 512 bytes of shared memory",
        ),
    ] {
        let message = Bench::new(&[]).launch(name).unwrap_err();
        assert!(message.contains(says), "{name}: {message}");
        // The place in the PTX, where the compiler's own tools tell.
        assert!(message.contains("instructions.ptx:"), "{name}: {message}");
    }
}

#[test]
fn a_line_that_is_not_understood_is_an_error_with_its_number() {
    let entry = |line: &str| {
        format!(
            ".version 7.8\n.visible .entry f(\n.param .u64 f_param_0\n)\n{{\n{line}\nret;\n}}\n"
        )
    };
    assert!(ptx::translate(&entry("add.s32 %r1, %r2, -7;"), false).is_ok());
    for line in [
        "trap;",
        ".local .align 4 .b8 depot[16];",
        "ld.param.u64 %rd1, [f_param_1];",
        "ld.param.u64 %rd1, [f_param_0+8];",
        "mov.u32 %r1, %warp.x;",
        "add.s32 %r1, %r2, 0x10;",
        "ld.global.u32 %r1, [%rd1+%r2];",
        "mov.u64 %rd1, table;",
        "call.uni function, (%r1);",
        "$L: add.s32 %r1, %r1, 1;",
        "} add.s32 %r1, %r1, 1;",
        ".reg .f16 %h<3>;",
    ] {
        let message = ptx::translate(&entry(line), false).unwrap_err();
        assert!(message.contains("line 6"), "{line}: {message}");
        assert!(message.contains(line), "{line}: {message}");
    }
    for line in [
        ".func (.param .b32 result) f(",
        ".global .align 4 .b8 table[4];",
        ".const .f32 x;",
    ] {
        let message = ptx::translate(&format!(".version 7.8\n{line}\n"), false).unwrap_err();
        assert!(message.contains("line 2"), "{message}");
    }
    let cut = entry("").trim_end().trim_end_matches('}').to_owned();
    assert!(
        ptx::translate(&cut, false)
            .unwrap_err()
            .contains("ends inside")
    );
}
