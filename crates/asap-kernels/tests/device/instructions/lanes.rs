//! What lanes of a warp leave that go their own ways, read and write memory, and do something together.

use super::Case;
use super::numbers::{f32s, f64s};

pub(super) fn all() -> Vec<Case> {
    [lanes(), products()].into_iter().flatten().collect()
}

/// Predicates, branches, memory, and what the lanes of a warp do together.
fn lanes() -> Vec<Case> {
    let none = |_| [0; 3];
    let is = u64::from;
    vec![
        Case::of_lanes(
            "mov.u32 %r, 1; setp.lt.u32 %c, %lane, 5; @%c mov.u32 %r, 2;",
            none,
            |lane| if lane < 5 { 2 } else { 1 },
        ),
        Case::of_lanes(
            "mov.u32 %r, 1; setp.lt.u32 %c, %lane, 5; @!%c mov.u32 %r, 2;",
            none,
            |lane| if lane < 5 { 1 } else { 2 },
        ),
        Case::of_lanes(
            "mov.u32 %r, 1; setp.lt.u32 %c, %lane, 5; not.pred %c, %c;\n@%c bra $OVER;\nmov.u32 %r, 2;\n$OVER:\n",
            none,
            |lane| if lane < 5 { 2 } else { 1 },
        ),
        Case::of_lanes(
            "setp.lt.u32 %p, %lane, 9; setp.gt.u32 %c, %lane, 3; and.pred %p, %p, %c;",
            none,
            move |lane| is(lane > 3 && lane < 9),
        ),
        Case::of_lanes("selp.b32 %r, 7, %lane, %c;", none, |lane| lane),
        Case::of_lanes(
            "mov.pred %p, -1; setp.eq.u32 %c, %lane, 3; xor.pred %p, %p, %c;",
            none,
            move |lane| is(lane != 3),
        ),
        Case::of_lanes("mov.u32 %r, %tid.x;", none, |lane| lane),
        Case::new("mov.u32 %r, %ntid.x;", &[], 32),
        Case::new("mov.u32 %r, %nctaid.x;", &[], 1),
        Case::new("mov.u32 %r, %ctaid.x;", &[], 0),
        // Vectors, and what is narrower than its register.
        Case::new(
            "mov.u32 %r, 0; st.global.v4.u32 [%g], {%w0, %w1, %w2, 9}; ld.global.v2.u32 {%t, %r}, [%g+8];",
            &[5, 6, 7],
            9,
        ),
        Case::new(
            "mov.u32 %r, 0; st.global.v4.u32 [%g], {%w0, %w1, %w2, 9}; ld.global.v4.u32 {%r, %v, %t, %t}, [%g];",
            &[5, 6, 7],
            5,
        ),
        Case::new(
            "mov.u32 %r, 0; st.global.v4.u32 [%g], {%w0, %w1, %w2, 9}; ld.global.v4.u32 {%t, %r, %v, %t}, [%g];",
            &[5, 6, 7],
            6,
        ),
        Case::new(
            "mov.u32 %r, 0; st.global.v4.u32 [%g], {%w0, %w1, %w2, 9}; ld.global.v4.u32 {%t, %v, %r, %t}, [%g];",
            &[5, 6, 7],
            7,
        ),
        Case::new(
            "mov.u32 %r, 0; st.global.v4.u32 [%g], {%w0, %w1, %w2, 9}; ld.global.v4.u32 {%t, %v, %t, %r}, [%g];",
            &[5, 6, 7],
            9,
        ),
        Case::new(
            "mov.f32 %f, 0f00000000; st.global.v2.f32 [%g], {%f0, %f1}; ld.global.f32 %f, [%g+4];",
            &f32s(&[1.0, -3.0]),
            0xc040_0000,
        ),
        Case::new(
            "mov.u32 %r, 0; st.global.u32 [%g], -1; st.global.u16 [%g+2], %w0; ld.global.u32 %r, [%g];",
            &[0x1_2345],
            0x2345_ffff,
        ),
        Case::new(
            "mov.u32 %r, 0; st.global.u16 [%g], %h0; ld.global.s16 %r, [%g];",
            &[0x8001],
            0xffff_8001,
        ),
        Case::new(
            "mov.u32 %r, 0; st.global.u16 [%g], %h0; ld.global.u16 %r, [%g];",
            &[0x8001],
            0x8001,
        ),
        Case::new(
            "mov.u32 %r, 0; st.global.u32 [%g], %w0; ld.global.u8 %r, [%g+1];",
            &[0x1234_f6ab],
            0xf6,
        ),
        Case::new(
            "mov.f64 %d, 0d0000000000000000; st.global.f64 [%g], %d0; ld.f64 %d, [%g];",
            &f64s(&[-1.5]),
            0xbff8_0000_0000_0000,
        ),
        // Through the memory of the other space, a neighbour's.
        Case::of_lanes(
            "mov.u32 %r, 0; st.shared.u32 [%s], %w0; bar.sync 0; ld.shared.u32 %r, [%t];\nbar.sync 0;",
            |lane| [100 + lane, 0, 0],
            |lane| 100 + (lane ^ 1),
        ),
        Case::of_lanes(
            "mov.f32 %f, 0f00000000; st.shared.v4.f32 [%s], {%f0, %f1, %f2, %f0}; ld.shared.v2.f32 {%e0, %f}, [%s+0];",
            |lane| [lane, lane + 1, lane + 2],
            |lane| lane + 1,
        ),
        Case::of_lanes(
            "mov.u32 %r, 0; st.shared.u32 [%s+4], %lane; add.s32 %t, %s, 16; ld.shared.u32 %r, [%t+-12];",
            none,
            |lane| lane,
        ),
        Case::of_lanes(
            "mov.u32 %r, 0; st.shared.u32 [%s], %lane; cvt.u64.u32 %q, %s; cvta.shared.u64 %q, %q; ld.u32 %r, [%q];",
            none,
            |lane| lane,
        ),
        Case::of_lanes(
            "mov.u32 %r, 0; cvt.u64.u32 %q, %s; cvta.shared.u64 %q, %q; st.v2.u32 [%q+8], {1, %lane}; ld.shared.u32 %r, [%s+12];",
            none,
            |lane| lane,
        ),
        // Lanes that differ in a bit, of which higher ones than the fifth do not count; in segments of 16 the lower one has no partner
        // above, and the upper one has one below.
        Case::of_lanes(
            "shfl.sync.bfly.b32 %r|%p, %w0, 1, 31, -1;",
            |lane| [lane + 50, 0, 0],
            |lane| (lane ^ 1) + 50,
        ),
        Case::of_lanes(
            "shfl.sync.bfly.b32 %r|%p, %lane, 36, 31, -1;",
            none,
            |lane| lane ^ 4,
        ),
        Case::of_lanes(
            "shfl.sync.bfly.b32 %r|%p, %lane, 16, 4127, -1;",
            none,
            |lane| lane % 16,
        ),
        Case::of_lanes(
            "mov.pred %p, 0; shfl.sync.bfly.b32 %r|%p, %lane, 16, 4127, -1;",
            none,
            move |lane| is(lane >= 16),
        ),
        Case::of_lanes(
            "shfl.sync.bfly.b32 %r|%p, %lane, 8, 10, -1;",
            none,
            |lane| if lane ^ 8 <= 10 { lane ^ 8 } else { lane },
        ),
    ]
}

/// Products of the tensor cores, whose operands' rows and columns lie in lanes as the manual draws them.
fn products() -> Vec<Case> {
    /// A number for each place of a matrix, which both formats hold.
    fn number(row: u64, column: u64) -> f32 {
        (8 * row + column + 1) as f32
    }
    fn unit(row: u64, column: u64) -> f32 {
        f32::from(row % 8 == column)
    }
    fn pair(lower: u32, upper: u32) -> u64 {
        u64::from(lower) | u64::from(upper) << 32
    }
    let bf16s = |lower: f32, upper: f32| lower.to_bits() >> 16 | upper.to_bits() & 0xffff_0000;
    let mut all = Vec::new();
    type Matrix = fn(u64, u64) -> f32;
    for (a, b) in [(number as Matrix, unit as Matrix), (unit, number)] {
        for i in 0..4_usize {
            let (row, column) = (8 * (i as u64 / 2), i as u64 % 2);
            let expected = move |lane: u64| {
                let (row, column) = (lane / 4 + row, lane % 4 * 2 + column);
                let product: f32 = (0..8).map(|k| a(row, k) * b(k, column)).sum();
                u64::from((product + 1000.0 * (i + 1) as f32).to_bits())
            };
            let mut results = ["%e0", "%e1", "%e2", "%e3"];
            results[i] = "%f";
            let results = results.join(", ");
            let terms = [1000.0_f32, 2000.0, 3000.0, 4000.0];
            let terms = terms.map(|term| format!("0f{:08X}", term.to_bits()));
            let terms = terms.join(", ");
            let load = "mov.f32 %f, 0f00000000; mov.b64 {%a0, %a1}, %x; mov.b64 {%a2, %a3}, %y; mov.b64 {%b0, %b1}, %z;";
            let tf32 = format!(
                "{load} mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {{{results}}}, {{%a0, %a1, %a2, %a3}}, {{%b0, %b1}}, {{{terms}}};"
            );
            let given = move |lane: u64| {
                let (group, t) = (lane / 4, lane % 4);
                let a = |row, column| a(row, column).to_bits();
                let b = |row, column| b(row, column).to_bits();
                [
                    pair(a(group, t), a(group + 8, t)),
                    pair(a(group, t + 4), a(group + 8, t + 4)),
                    pair(b(t, group), b(t + 4, group)),
                ]
            };
            all.push(Case::of_lanes(&tf32, given, expected));
            let bf16 = format!(
                "{load} mma.sync.aligned.m16n8k8.row.col.f32.bf16.bf16.f32 {{{results}}}, {{%a0, %a1}}, {{%b0}}, {{{terms}}};"
            );
            let given = move |lane: u64| {
                let (group, t) = (lane / 4, lane % 4 * 2);
                [
                    pair(
                        bf16s(a(group, t), a(group, t + 1)),
                        bf16s(a(group + 8, t), a(group + 8, t + 1)),
                    ),
                    0,
                    pair(bf16s(b(t, group), b(t + 1, group)), 0),
                ]
            };
            all.push(Case::of_lanes(&bf16, given, expected));
        }
    }
    all
}
