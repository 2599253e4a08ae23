//! What instructions on numbers leave, worked out by hand from the manual of PTX.

use super::Case;

pub(super) fn all() -> Vec<Case> {
    let parts = [whole_numbers(), floats(), comparisons()];
    parts.into_iter().flatten().collect()
}

pub(super) fn f32s(values: &[f32]) -> Vec<u64> {
    values.iter().map(|x| u64::from(x.to_bits())).collect()
}

pub(super) fn f64s(values: &[f64]) -> Vec<u64> {
    values.iter().map(|x| x.to_bits()).collect()
}

const MINUS_ONE: u64 = 0xffff_ffff;
const QUIET: u64 = 0x7fc0_0000;

fn whole_numbers() -> Vec<Case> {
    let least = 0x8000_0000;
    let table: &[(&str, &[u64], u64)] = &[
        ("add.s32 %r, %w0, %w1;", &[MINUS_ONE, 3], 2),
        ("add.s64 %q, %x, -8;", &[3], -5_i64 as u64),
        ("add.s64 %q, %x, 4294967295;", &[1], 1 << 32),
        ("sub.s32 %r, %w0, %w1;", &[2, 3], MINUS_ONE),
        ("mul.lo.s32 %r, %w0, %w1;", &[0x1_0001, 0x1_0001], 0x2_0001),
        ("mad.lo.s32 %r, %w0, %w1, %w2;", &[MINUS_ONE, 3, 10], 7),
        (
            "mul.wide.u32 %q, %w0, %w1;",
            &[MINUS_ONE, MINUS_ONE],
            0xffff_fffe_0000_0001,
        ),
        ("mul.wide.s32 %q, %w0, %w1;", &[MINUS_ONE, 2], -2_i64 as u64),
        ("mul.wide.u16 %r, %h0, %h1;", &[0xffff, 0xffff], 0xfffe_0001),
        ("sub.s16 %h, %h0, %h1;", &[2, 3], 0xffff),
        ("mul.lo.s16 %h, %h0, %h1;", &[0xffff, 0xffff], 1),
        ("mul.lo.s64 %q, %x, %y;", &[u64::MAX, 3], -3_i64 as u64),
        ("setp.eq.b32 %p, %w0, %w1;", &[MINUS_ONE, MINUS_ONE], 1),
        ("setp.eq.b32 %p, %w0, %w1;", &[MINUS_ONE, 7], 0),
        ("selp.u16 %h, %h0, %h1, 0;", &[3, 4], 4),
        (
            "mul.hi.u32 %r, %w0, %w1;",
            &[MINUS_ONE, MINUS_ONE],
            0xffff_fffe,
        ),
        ("neg.s32 %r, %w0;", &[5], -5_i32 as u32 as u64),
        // As devices have it; the manual leaves it open.
        ("div.u32 %r, %w0, %w1;", &[7, 0], MINUS_ONE),
        ("div.u16 %h, %h0, %h1;", &[7, 0], 0xffff),
        ("div.u64 %q, %x, %y;", &[7, 0], u64::MAX),
        ("div.s32 %r, %w0, %w1;", &[7, 0], MINUS_ONE),
        ("div.s32 %r, %w0, %w1;", &[least, MINUS_ONE], least),
        (
            "div.s32 %r, %w0, %w1;",
            &[-7_i32 as u32 as u64, 2],
            -3_i32 as u32 as u64,
        ),
        (
            "div.u32 %r, %w0, %w1;",
            &[-7_i32 as u32 as u64, 2],
            0x7fff_fffc,
        ),
        (
            "rem.s32 %r, %w0, %w1;",
            &[-7_i32 as u32 as u64, 2],
            MINUS_ONE,
        ),
        ("rem.s32 %r, %w0, %w1;", &[least, MINUS_ONE], 0),
        ("rem.u32 %r, %w0, %w1;", &[7, 0], 7),
        ("min.s32 %r, %w0, %w1;", &[MINUS_ONE, 1], MINUS_ONE),
        ("min.u32 %r, %w0, %w1;", &[MINUS_ONE, 1], 1),
        ("max.s32 %r, %w0, %w1;", &[MINUS_ONE, 1], 1),
        ("max.u32 %r, %w0, %w1;", &[MINUS_ONE, 1], MINUS_ONE),
        ("shl.b32 %r, %w0, %w1;", &[1, 31], least),
        ("shl.b32 %r, %w0, %w1;", &[1, 32], 0),
        ("shl.b64 %q, %x, %w1;", &[1, 40], 1 << 40),
        (
            "shf.l.wrap.b32 %r, %w0, %w1, 12;",
            &[0x8765_4321, 0xfedc_ba98],
            0xcba9_8876,
        ),
        (
            "shf.l.wrap.b32 %r, %w0, %w1, 32;",
            &[0x8765_4321, 0xfedc_ba98],
            0xfedc_ba98,
        ),
        ("shl.b64 %q, %x, %w1;", &[1, 64], 0),
        ("shl.b16 %h, %h0, %w1;", &[3, 15], 0x8000),
        ("shl.b16 %h, %h0, %w1;", &[1, 16], 0),
        ("shr.u32 %r, %w0, %w1;", &[least, 31], 1),
        ("shr.u32 %r, %w0, %w1;", &[least, 32], 0),
        ("shr.s32 %r, %w0, %w1;", &[least, 30], -2_i32 as u32 as u64),
        ("shr.s32 %r, %w0, %w1;", &[least, 1000], MINUS_ONE),
        ("shr.s32 %r, %w0, %w1;", &[5, 1000], 0),
        ("shr.u64 %q, %x, %w1;", &[1 << 63, 63], 1),
        ("shr.u64 %q, %x, %w1;", &[1 << 63, 64], 0),
        ("not.b32 %r, %w0;", &[0xff], 0xffff_ff00),
        ("xor.b64 %q, %x, %y;", &[6 << 32, 3 << 32], 5 << 32),
        ("and.b16 %h, %h0, %h1;", &[0xff0f, 0xf0ff], 0xf00f),
        ("or.b32 %r, %w0, %w1;", &[0xf0, 0x0f], 0xff),
        (
            "bfi.b64 %q, %x, %y, 4, 8;",
            &[0x3ab, 0xffff_ffff],
            0xffff_fabf,
        ),
        (
            "bfi.b64 %q, %x, %y, 60, 8;",
            &[0xff, 1],
            0xf000_0000_0000_0001,
        ),
        ("bfi.b64 %q, %x, %y, 0, 64;", &[u64::MAX, 0], u64::MAX),
        ("bfi.b64 %q, %x, %y, 0, 0;", &[u64::MAX, 5], 5),
        ("bfi.b64 %q, %x, %y, 64, 8;", &[u64::MAX, 5], 5),
        // Of both numbers the lower 8 bits: 0 and 4.
        (
            "mov.u64 %q, 0; mov.u32 %t, 256; mov.u32 %v, 260; bfi.b64 %q, %x, %y, %t, %v;",
            &[0xff, 0x50],
            0x5f,
        ),
        (
            "bfi.b32 %r, %w0, %w1, 16, 16;",
            &[0xabcd, 0x1234],
            0xabcd_1234,
        ),
        ("mov.u32 %r, -2147483648;", &[], least),
        ("mov.b32 %r, -2147483648;", &[], least),
        ("mov.b64 %q, -1;", &[], u64::MAX),
        ("mov.b64 %q, {%w0, %w1};", &[1, 2], 0x2_0000_0001),
        ("mov.b64 {%r, %t}, %x;", &[0x2_0000_0001], 1),
        ("mov.b64 {%r, %t}, %x; mov.u32 %r, %t;", &[0x2_0000_0001], 2),
        ("cvt.u64.u32 %q, %w0;", &[MINUS_ONE], MINUS_ONE),
        ("cvt.s64.s32 %q, %w0;", &[MINUS_ONE], u64::MAX),
        ("cvt.u32.u64 %r, %x;", &[0x1234_5678_9abc_def0], 0x9abc_def0),
        ("cvt.s32.s16 %r, %h0;", &[0x8000], 0xffff_8000),
        ("cvt.u32.u16 %r, %h0;", &[0x8000], 0x8000),
        ("cvt.u16.u32 %h, %w0;", &[0x12345], 0x2345),
    ];
    cases(table)
}

fn cases(table: &[(&str, &[u64], u64)]) -> Vec<Case> {
    let table = table.iter();
    let cases = table.map(|(code, given, expected)| Case::new(code, given, *expected));
    cases.collect()
}

fn floats() -> Vec<Case> {
    let half = 0.5_f32.powi(12);
    let small = 0.5_f64.powi(30);
    let table: &[(&str, &[u64], u64)] = &[
        // A product that is not rounded: what is left of the square.
        (
            "fma.rn.f32 %f, %f0, %f1, %f2;",
            &f32s(&[1.0 + half, 1.0 + half, -1.0 - 2.0 * half]),
            0x3380_0000,
        ),
        (
            "fma.rn.f64 %d, %d0, %d1, %d2;",
            &f64s(&[1.0 + small, 1.0 + small, -1.0 - 2.0 * small]),
            0x3c30_0000_0000_0000,
        ),
        // And one that is.
        (
            "mul.f32 %f, %f0, %f1; add.f32 %f, %f, %f2;",
            &f32s(&[1.0 + half, 1.0 + half, -1.0 - 2.0 * half]),
            0,
        ),
        ("sub.f32 %f, %f0, %f1;", &f32s(&[1.0, 3.0]), 0xc000_0000),
        (
            "sub.f64 %d, %d0, %d1;",
            &f64s(&[1.0, 3.0]),
            0xc000_0000_0000_0000,
        ),
        ("div.rn.f32 %f, %f0, %f1;", &f32s(&[1.0, 3.0]), 0x3eaa_aaab),
        (
            "div.rn.f64 %d, %d0, %d1;",
            &f64s(&[1.0, 3.0]),
            0x3fd5_5555_5555_5555,
        ),
        ("rcp.rn.f32 %f, %f0;", &f32s(&[3.0]), 0x3eaa_aaab),
        ("sqrt.rn.f64 %d, %d0;", &f64s(&[2.0]), 0x3ff6_a09e_667f_3bcd),
        // Below the normal range.
        ("mul.f32 %f, %f0, 0f3F000000;", &[0x0080_0000], 0x0040_0000),
        (
            "add.f64 %d, %d0, 0d3FF0000000000000;",
            &f64s(&[1.5]),
            0x4004_0000_0000_0000,
        ),
        ("abs.f32 %f, %f0;", &f32s(&[-0.0]), 0),
        ("abs.f64 %d, %d0;", &f64s(&[-1.5]), 1.5_f64.to_bits()),
        (
            "mul.f64 %d, %d0, %d1;",
            &f64s(&[-1.5, 2.0]),
            (-3.0_f64).to_bits(),
        ),
        (
            "add.rn.f64 %d, %d0, %d1;",
            &f64s(&[1.5, 2.0]),
            3.5_f64.to_bits(),
        ),
        (
            "rcp.rn.f64 %d, %d0;",
            &f64s(&[3.0]),
            (1.0_f64 / 3.0).to_bits(),
        ),
        ("neg.f64 %d, %d0;", &f64s(&[0.0]), 1 << 63),
        ("max.f32 %f, %f0, %f1;", &[QUIET, 0x3f80_0000], 0x3f80_0000),
        ("max.f32 %f, %f0, %f1;", &[0x3f80_0000, QUIET], 0x3f80_0000),
        ("min.f32 %f, %f0, %f1;", &[QUIET, 0x3f80_0000], 0x3f80_0000),
        ("min.f32 %f, %f0, %f1;", &[0x3f80_0000, QUIET], 0x3f80_0000),
        ("max.f32 %f, %f0, %f1;", &f32s(&[-0.0, 0.0]), 0),
        ("max.f32 %f, %f0, %f1;", &f32s(&[0.0, -0.0]), 0),
        ("min.f32 %f, %f0, %f1;", &f32s(&[-0.0, 0.0]), 0x8000_0000),
        ("min.f32 %f, %f0, %f1;", &f32s(&[0.0, -0.0]), 0x8000_0000),
        (
            "max.f64 %d, %d0, %d1;",
            &f64s(&[-2.0, -3.0]),
            0xc000_0000_0000_0000,
        ),
        (
            "min.f64 %d, %d0, %d1;",
            &f64s(&[f64::NAN, -3.0]),
            0xc008_0000_0000_0000,
        ),
        (
            "max.f32 %f, %f0, %f1; setp.nan.f32 %p, %f, %f; selp.f32 %f, 0f40000000, %f, %p;",
            &[QUIET, QUIET],
            0x4000_0000,
        ),
        // The upper halves of 1 and of 3, and what is 0 on the way in or out.
        (
            "rcp.approx.ftz.f64 %d, %d0;",
            &[0x3ff0_0000_ffff_ffff],
            0x3ff0_0000_0000_0000,
        ),
        (
            "rcp.approx.ftz.f64 %d, %d0;",
            &f64s(&[3.0]),
            0x3fd5_5555_0000_0000,
        ),
        (
            "rcp.approx.ftz.f64 %d, %d0;",
            &[0x800f_0000_0000_0000],
            0xfff0_0000_0000_0000,
        ),
        ("rcp.approx.ftz.f64 %d, %d0;", &f64s(&[f64::MAX]), 0),
        // Ties away from 0: the bit that is left is odd, then even.
        ("cvt.rna.tf32.f32 %r, %f0;", &[0x3f80_1000], 0x3f80_2000),
        ("cvt.rna.tf32.f32 %r, %f0;", &[0xbf80_3000], 0xbf80_4000),
        ("cvt.rna.tf32.f32 %r, %f0;", &[0x3f80_0fff], 0x3f80_0000),
        ("cvt.rna.tf32.f32 %r, %f0;", &[0x7f7f_ffff], 0x7f80_0000),
        ("cvt.rna.tf32.f32 %r, %f0;", &[0xff80_0000], 0xff80_0000),
        ("cvt.rna.tf32.f32 %r, %f0;", &[0x7f80_0001], 0x7fff_ffff),
        // The first one above; ties to even, and to infinity.
        (
            "cvt.rn.bf16x2.f32 %r, %f0, %f1;",
            &f32s(&[1.0, -2.0]),
            0x3f80_c000,
        ),
        (
            "cvt.rn.bf16x2.f32 %r, %f0, %f1;",
            &[0x3f80_8000, 0x3f81_8000],
            0x3f80_3f82,
        ),
        (
            "cvt.rn.bf16x2.f32 %r, %f0, %f1;",
            &[0x7f7f_ffff, 0x7f80_0001],
            0x7f80_7fff,
        ),
        ("cvt.rn.f32.u32 %f, %w0;", &[MINUS_ONE], 0x4f80_0000),
        ("cvt.rn.f32.s32 %f, %w0;", &[MINUS_ONE], 0xbf80_0000),
        ("cvt.rn.f32.u32 %f, %w0;", &[0x0100_0001], 0x4b80_0000),
        ("cvt.rn.f32.u32 %f, %w0;", &[0x0100_0003], 0x4b80_0002),
        (
            "cvt.rn.f64.s32 %d, %w0;",
            &[MINUS_ONE],
            0xbff0_0000_0000_0000,
        ),
        (
            "cvt.rn.f64.u32 %d, %w0;",
            &[MINUS_ONE],
            0x41ef_ffff_ffe0_0000,
        ),
        ("cvt.rn.f64.u64 %d, %x;", &[u64::MAX], 0x43f0_0000_0000_0000),
        (
            "cvt.rn.f32.f64 %f, %d0;",
            &f64s(&[1.0 + 0.5_f64.powi(24)]),
            0x3f80_0000,
        ),
        (
            "cvt.rn.f32.f64 %f, %d0;",
            &f64s(&[1.0 + 3.0 * 0.5_f64.powi(24)]),
            0x3f80_0002,
        ),
        ("cvt.f64.f32 %d, %f0;", &f32s(&[1.5]), 0x3ff8_0000_0000_0000),
        ("mov.b32 %r, %f0;", &[0x3f80_0000], 0x3f80_0000),
        ("mov.b32 %f, %w0;", &[0x3f80_0000], 0x3f80_0000),
        (
            "mov.b64 %d, %x;",
            &[0x3ff8_0000_0000_0000],
            0x3ff8_0000_0000_0000,
        ),
        ("mov.b64 {%r, %t}, %d0;", &[0x3ff8_0000_0000_0001], 1),
        (
            "mov.u32 %r, 0; mov.b64 {%t, %r}, %d0;",
            &[0x3ff8_0000_0000_0001],
            0x3ff8_0000,
        ),
    ];
    cases(table)
}

/// For each comparison: of 1 and 2, of 2 and 2, of 2 and 1, of a NaN and 2.
fn comparisons() -> Vec<Case> {
    let ordered = [
        ("eq", [0, 1, 0, 0]),
        ("ne", [1, 0, 1, 0]),
        ("lt", [1, 0, 0, 0]),
        ("le", [1, 1, 0, 0]),
        ("gt", [0, 0, 1, 0]),
        ("ge", [0, 1, 1, 0]),
    ];
    let unordered = [
        ("equ", [0, 1, 0, 1]),
        ("neu", [1, 0, 1, 1]),
        ("ltu", [1, 0, 0, 1]),
        ("leu", [1, 1, 0, 1]),
        ("gtu", [0, 0, 1, 1]),
        ("geu", [0, 1, 1, 1]),
        ("nan", [0, 0, 0, 1]),
        ("num", [1, 1, 1, 0]),
    ];
    let mut all = Vec::new();
    for (name, found) in ordered.iter().chain(&unordered) {
        let pairs = [(1.0, 2.0), (2.0, 2.0), (2.0, 1.0), (f64::NAN, 2.0)];
        for ((x, y), expected) in pairs.into_iter().zip(*found) {
            let code = format!("setp.{name}.f32 %p, %f0, %f1;");
            all.push(Case::new(&code, &f32s(&[x as f32, y as f32]), expected));
            let code = format!("setp.{name}.f64 %p, %d0, %d1;");
            all.push(Case::new(&code, &f64s(&[x, y]), expected));
        }
    }
    // -1 and 1, which without signs are the most and the least.
    for (name, [less, same, more, _]) in ordered {
        for (kind, operand, expected) in [
            ("s16", "h", [less, same, more]),
            ("s32", "w", [less, same, more]),
            ("s64", "", [less, same, more]),
            ("u16", "h", [more, same, less]),
            ("u32", "w", [more, same, less]),
            ("u64", "", [more, same, less]),
        ] {
            let (x, y) = match operand {
                "" => ("x".to_owned(), "y".to_owned()),
                stem => (format!("{stem}0"), format!("{stem}1")),
            };
            let code = format!("setp.{name}.{kind} %p, %{x}, %{y};");
            let pairs = [(u64::MAX, 1), (u64::MAX, u64::MAX), (1, u64::MAX)];
            for ((x, y), expected) in pairs.into_iter().zip(expected) {
                all.push(Case::new(&code, &[x, y], expected));
            }
        }
    }
    all
}
