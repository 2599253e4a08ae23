//! A device at work: numbers are uploaded and added to those that are there, by launches and by a graph, and fetched as steps are,
//! several rounds before anybody looks.

use asap_kernels::Error;
use asap_kernels::device::abi::{Reduce, Step, THREADS, bytes};
use asap_kernels::device::{Device, Launch, Part, Work};

/// Numbers that are added up.
const LEN: usize = 300;
const ROUNDS: usize = 24;
/// More than is copied through page-locked memory.
const LARGE: usize = (8 << 20) + 12;

/// What has to be given back.
#[derive(Default)]
struct Made {
    allocations: Vec<u64>,
    graphs: Vec<u64>,
}

/// All bytes that came home, or the first error; the device has everything back either way.
pub(crate) fn play(device: &mut dyn Device) -> Result<Vec<u8>, Error> {
    let mut made = Made::default();
    let played = play_with(device, &mut made);
    made.graphs.iter().for_each(|graph| device.forget(*graph));
    let allocations = made.allocations.iter();
    allocations.for_each(|address| device.free(*address));
    played
}

fn play_with(device: &mut dyn Device, made: &mut Made) -> Result<Vec<u8>, Error> {
    let mut home = Vec::new();
    let mut allocate = |device: &mut dyn Device, bytes| {
        let address = device.allocate(bytes);
        made.allocations.extend(address.iter());
        address
    };
    // The sum so far and what is added to it, as a kernel reads them: two parts of one array.
    let parts = allocate(device, 8 * LEN)?;
    let sum = allocate(device, 4 * LEN)?;
    let step = allocate(device, size_of::<Step>())?;
    device.upload(step, bytes(&[Step::default()]))?;
    let mut launches = Vec::new();
    for (from, out, splits) in [(parts, sum, 2), (sum, parts, 1)] {
        let job = Reduce {
            partials: from,
            out,
            len: LEN as u32,
            splits,
            stride: LEN as u32,
            ..Reduce::default()
        };
        let jobs = allocate(device, size_of_val(&job))?;
        device.upload(jobs, bytes(&[job]))?;
        launches.push(Launch {
            kernel: "reduce",
            grid: [LEN.div_ceil(THREADS as usize) as u32, 1, 1],
            // More than a kernel has without asking.
            shared_bytes: 64 << 10,
            jobs,
            step,
            work: Work::default(),
        });
    }
    let graph = device.record(&launches)?;
    made.graphs.push(graph);

    let fetched = [(parts, 4 * LEN), (sum, 4 * LEN)];
    let fetched = fetched.map(|(address, bytes)| Part { address, bytes });
    let mut under_way = Vec::new();
    for round in 0..ROUNDS {
        let values: Vec<u32> = (0..LEN)
            .map(|i| ((round * LEN + i) as f32 * 0.37).to_bits())
            .collect();
        device.start_clock()?;
        device.upload(parts + 4 * LEN as u64, bytes(&values))?;
        if round % 3 == 0 {
            launches
                .iter()
                .try_for_each(|launch| device.launch(launch))?;
        } else {
            device.replay(graph)?;
        }
        if round % 4 != 1 {
            under_way.push(device.fetch(&fetched)?);
        }
        if under_way.len() > 2 {
            let copy = device.fetched(under_way.remove(0))?;
            assert!(copy.seconds >= 0.0);
            home.extend(copy.bytes);
        }
    }
    assert_eq!(device.time(&launches)?.len(), launches.len());

    let large = allocate(device, LARGE)?;
    let pattern: Vec<u8> = (0..LARGE).map(|i| (i % 251) as u8).collect();
    device.upload(large, &pattern)?;
    let mut back = vec![0; LARGE];
    device.download(large, &mut back)?;
    home.extend(back);
    // Copies that nobody asks for.
    device.fetch(&fetched)?;
    device.upload(parts, &home[..16])?;
    Ok(home)
}
