//! Downloads from a server on this machine, whole, cut, wrong and dangerous.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use asap_data::{Checksum, FetchEvent, Fetched, Manifest, fetch};

use crate::files::{TemporaryFolder, gzip};

/// What the server does with one file.
#[derive(Clone)]
struct Served {
    name: &'static str,
    bytes: Vec<u8>,
    /// So many answers end after half of what they promise.
    cut: usize,
    /// Whether parts of it are sent.
    ranges: bool,
}

impl Served {
    fn whole(name: &'static str, bytes: Vec<u8>) -> Self {
        Self {
            name,
            bytes,
            cut: 0,
            ranges: true,
        }
    }
}

/// A server of files until the test ends.
struct Server {
    address: String,
    /// The first byte that each request asked for.
    asked: Arc<Mutex<Vec<usize>>>,
}

impl Server {
    fn new(files: Vec<Served>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&asked);
        thread::spawn(move || {
            let mut files = files;
            for stream in listener.incoming() {
                // A client that went away ends its own request only.
                let _ = answer(stream.unwrap(), &mut files, &seen);
            }
        });
        Self { address, asked }
    }

    fn asked(&self) -> Vec<usize> {
        self.asked.lock().unwrap().clone()
    }
}

fn answer(
    mut stream: TcpStream,
    files: &mut [Served],
    asked: &Mutex<Vec<usize>>,
) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    let request = lines.next().unwrap()?;
    let mut start = 0;
    for line in lines {
        let line = line?.to_lowercase();
        if let Some(range) = line.strip_prefix("range: bytes=") {
            start = range.trim_end_matches('-').parse().unwrap();
        }
        if line.is_empty() {
            break;
        }
    }
    asked.lock().unwrap().push(start);
    let path = request.split(' ').nth(1).unwrap().trim_start_matches('/');
    let Some(file) = files.iter_mut().find(|file| file.name == path) else {
        return write!(
            stream,
            "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        );
    };
    let length = file.bytes.len();
    let connection = "Connection: close\r\n";
    if file.ranges && start > 0 && start >= length {
        return write!(
            stream,
            "HTTP/1.1 416 Range Not Satisfiable\r\nContent-Range: bytes */{length}\r\nContent-Length: 0\r\n{connection}\r\n"
        );
    }
    if file.ranges && start > 0 {
        write!(
            stream,
            "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes {start}-{}/{length}\r\nContent-Length: {}\r\n{connection}\r\n",
            length - 1,
            length - start
        )?;
    } else {
        start = 0;
        write!(
            stream,
            "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n{connection}\r\n"
        )?;
    }
    let end = match file.cut {
        0 => length,
        _ => {
            file.cut -= 1;
            start + (length - start) / 2
        }
    };
    stream.write_all(&file.bytes[start..end])
}

/// A manifest with one download of `file` from each of `urls`.
fn manifest(file: &str, urls: &[String], checksum: &str, unpacks_to: &[&str]) -> Manifest {
    let folder = TemporaryFolder::new();
    let text = format!(
        r#"
        name = "some"
        source = "here"
        licence = "any"
        citation = "nobody"
        read = "idx"
        train = 1
        test = 1
        class_count = 1
        [[downloads]]
        file = "{file}"
        urls = {urls:?}
        checksum = "{checksum}"
        unpacks_to = {unpacks_to:?}
        "#
    );
    Manifest::read(&folder.write("some.toml", text.as_bytes())).unwrap()
}

fn of_server(server: &Server, file: &str, checksum: &str, unpacks_to: &[&str]) -> Manifest {
    manifest(
        file,
        &[format!("{}/{file}", server.address)],
        checksum,
        unpacks_to,
    )
}

fn quietly(manifest: &Manifest, folder: &TemporaryFolder) -> asap_data::Result<Vec<Fetched>> {
    fetch(manifest, folder.path(), &mut |_| {})
}

fn failed(manifest: &Manifest, folder: &TemporaryFolder) -> String {
    quietly(manifest, folder).unwrap_err().to_string()
}

fn names(folder: &TemporaryFolder) -> Vec<String> {
    let entries = fs::read_dir(folder.path()).unwrap();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// From RFC 1321 and FIPS 180-2: digests of "abc".
const MD5: &str = "md5:900150983cd24fb0d6963f7d28e17f72";
const SHA256: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

#[test]
fn a_file_comes_with_its_checksum_and_is_not_fetched_twice() {
    let server = Server::new(vec![Served::whole("abc.bin", b"abc".to_vec())]);
    let folder = TemporaryFolder::new();
    let manifest = of_server(&server, "abc.bin", MD5, &[]);
    let mut told = Vec::new();
    let fetched = fetch(&manifest, folder.path(), &mut |event| match event {
        FetchEvent::Downloaded { bytes, total, .. } => told.push((bytes, total)),
        FetchEvent::Checking { file } => assert_eq!(file, "abc.bin"),
        other => panic!("{other:?}"),
    })
    .unwrap();
    assert_eq!(told, [(0, Some(3)), (3, Some(3))]);
    let expected = Fetched {
        file: "abc.bin".to_owned(),
        bytes: 3,
        sha256: SHA256.to_owned(),
        checksum: MD5.parse().unwrap(),
    };
    assert_eq!(fetched, [expected]);
    assert_eq!(names(&folder), ["abc.bin"]);
    assert_eq!(manifest.verify(folder.path()).unwrap(), 1);
    assert_eq!(quietly(&manifest, &folder).unwrap(), []);
    assert_eq!(server.asked().len(), 1);
}

#[test]
fn a_cut_connection_is_gone_on_with_where_it_broke() {
    let bytes: Vec<u8> = (0..200_000_u32)
        .map(|index| (index * 7 / 3) as u8)
        .collect();
    let cut = Served {
        cut: 2,
        ..Served::whole("big.bin", bytes.clone())
    };
    let server = Server::new(vec![cut]);
    let folder = TemporaryFolder::new();
    let fetched = quietly(&of_server(&server, "big.bin", "unknown", &[]), &folder).unwrap();
    assert_eq!(fs::read(folder.path().join("big.bin")).unwrap(), bytes);
    assert_eq!(fetched[0].checksum, Checksum::Unknown);
    assert_eq!(server.asked(), [0, 100_000, 150_000]);
}

#[test]
fn what_an_earlier_run_left_is_gone_on_with() {
    let server = Server::new(vec![Served::whole("abc.bin", b"abc".to_vec())]);
    let folder = TemporaryFolder::new();
    let manifest = of_server(&server, "abc.bin", MD5, &[]);
    folder.write("abc.bin.unfinished", b"ab");
    quietly(&manifest, &folder).unwrap();
    assert_eq!(server.asked(), [2]);
    // All was here, and only the checksum was not looked at.
    let folder = TemporaryFolder::new();
    folder.write("abc.bin.unfinished", b"abc");
    quietly(&manifest, &folder).unwrap();
    assert_eq!(server.asked(), [2, 3]);
    // Of another file that was longer.
    let folder = TemporaryFolder::new();
    folder.write("abc.bin.unfinished", b"another");
    quietly(&manifest, &folder).unwrap();
    assert_eq!(fs::read(folder.path().join("abc.bin")).unwrap(), b"abc");
}

#[test]
fn without_a_checksum_nothing_of_another_run_or_place_is_gone_on_with() {
    let bytes = vec![5; 100_000];
    let broken = Served {
        cut: usize::MAX,
        ..Served::whole("broken.bin", vec![6; 100])
    };
    let server = Server::new(vec![broken, Served::whole("big.bin", bytes.clone())]);
    let folder = TemporaryFolder::new();
    folder.write("big.bin.unfinished", b"of another version");
    let urls = ["broken.bin", "big.bin"].map(|name| format!("{}/{name}", server.address));
    quietly(&manifest("big.bin", &urls, "unknown", &[]), &folder).unwrap();
    assert_eq!(fs::read(folder.path().join("big.bin")).unwrap(), bytes);
    let asked = server.asked();
    assert_eq!((asked.first(), asked.last()), (Some(&0), Some(&0)));
}

#[test]
fn a_set_is_here_when_all_of_it_is() {
    let server = Server::new(vec![Served::whole("abc.bin", b"abc".to_vec())]);
    let outer = TemporaryFolder::new();
    let folder = outer.path().join("set");
    let mut manifest = of_server(&server, "abc.bin", MD5, &[]);
    let mut missing = manifest.downloads[0].clone();
    missing.file = "gone.bin".to_owned();
    missing.urls = vec![format!("{}/gone.bin", server.address)];
    manifest.downloads.insert(0, missing);
    fetch(&manifest, &folder, &mut |_| {}).unwrap_err();
    assert!(!folder.exists(), "nothing came, and nothing is left");
    manifest.downloads.reverse();
    fetch(&manifest, &folder, &mut |_| {}).unwrap_err();
    assert!(folder.join("abc.bin").exists() && !manifest.is_here(&folder));
    manifest.downloads.pop();
    assert!(manifest.is_here(&folder));
    fs::create_dir(outer.path().join("empty")).unwrap();
    assert!(!manifest.is_here(&outer.path().join("empty")));
}

#[test]
fn a_server_without_parts_sends_all_again() {
    let plain = Served {
        ranges: false,
        ..Served::whole("abc.bin", b"abc".to_vec())
    };
    let server = Server::new(vec![plain]);
    let folder = TemporaryFolder::new();
    folder.write("abc.bin.unfinished", b"zz");
    quietly(&of_server(&server, "abc.bin", MD5, &[]), &folder).unwrap();
    assert_eq!(fs::read(folder.path().join("abc.bin")).unwrap(), b"abc");
}

#[test]
fn a_wrong_checksum_leaves_nothing() {
    let server = Server::new(vec![Served::whole("abc.bin", b"abd".to_vec())]);
    let folder = TemporaryFolder::new();
    let text = failed(&of_server(&server, "abc.bin", MD5, &[]), &folder);
    assert!(
        text.contains("abc.bin.unfinished: expected md5 900150983cd24fb0d6963f7d28e17f72, found "),
        "{text}"
    );
    assert_eq!(names(&folder), Vec::<String>::new());
}

#[test]
fn another_length_than_the_manifest_has_is_refused_at_once() {
    let server = Server::new(vec![Served::whole("abc.bin", b"abc".to_vec())]);
    let mut manifest = of_server(&server, "abc.bin", MD5, &[]);
    manifest.downloads[0].bytes = Some(4);
    let text = failed(&manifest, &TemporaryFolder::new());
    assert!(
        text.ends_with("a file of 3 bytes where the manifest has 4"),
        "{text}"
    );
}

#[test]
fn a_missing_file_is_looked_for_elsewhere_then_named() {
    let server = Server::new(vec![Served::whole("abc.bin", b"abc".to_vec())]);
    let [missing, there] = ["gone.bin", "abc.bin"].map(|name| format!("{}/{name}", server.address));
    let folder = TemporaryFolder::new();
    let two = manifest("abc.bin", &[missing.clone(), there], MD5, &[]);
    quietly(&two, &folder).unwrap();
    assert_eq!(names(&folder), ["abc.bin"]);
    let text = failed(
        &manifest("abc.bin", std::slice::from_ref(&missing), MD5, &[]),
        &TemporaryFolder::new(),
    );
    let expected = format!("{missing}: expected a file to download, found: 404 Not Found");
    assert_eq!(text, expected);
}

#[test]
fn what_cannot_be_downloaded_says_where_it_is() {
    let mut manifest = manifest("x", &[], "unknown", &[]);
    manifest.downloads.clear();
    manifest.note = "Ask there.".to_owned();
    let text = failed(&manifest, &TemporaryFolder::new());
    assert_eq!(
        text,
        "fetch: expected a set that can be downloaded; get this from here. Ask there., found some"
    );
}

/// One entry of a tar file; names are written as they are, however dangerous.
fn tar_entry(name: &str, kind: u8, content: &[u8]) -> Vec<u8> {
    let mut header = [0; 512];
    header[..name.len()].copy_from_slice(name.as_bytes());
    header[100..107].copy_from_slice(b"0000644");
    let size = format!("{:011o}", content.len());
    header[124..135].copy_from_slice(size.as_bytes());
    header[136..147].copy_from_slice(b"00000000000");
    header[148..156].fill(b' ');
    header[156] = kind;
    if kind == b'2' {
        header[157..168].copy_from_slice(b"/etc/passwd");
    }
    header[257..265].copy_from_slice(b"ustar\x0000");
    let sum: u32 = header.iter().map(|&byte| u32::from(byte)).sum();
    header[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
    let mut bytes = header.to_vec();
    bytes.extend(content);
    bytes.resize(bytes.len().next_multiple_of(512), 0);
    bytes
}

fn tar(entries: &[(&str, u8, &[u8])]) -> Vec<u8> {
    let entries = entries
        .iter()
        .map(|(name, kind, content)| tar_entry(name, *kind, content));
    let mut bytes: Vec<u8> = entries.flatten().collect();
    bytes.extend([0; 1024]);
    bytes
}

fn zip(entries: &[(&str, &[u8])]) -> Vec<u8> {
    use zip::write::SimpleFileOptions;
    let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, content) in entries {
        writer
            .start_file(*name, SimpleFileOptions::default())
            .unwrap();
        writer.write_all(content).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

#[test]
fn archives_are_unpacked_and_removed() {
    let entries: [(&str, u8, &[u8]); 4] = [
        ("./set/", b'5', b""),
        ("./set/a/1.txt", b'0', b"one"),
        ("set/b/2.txt", b'0', b"two"),
        ("notes.txt", b'0', b"not asked for"),
    ];
    let packed = tar(&entries);
    let server = Server::new(vec![
        Served::whole("set.tar", packed.clone()),
        Served::whole("set.tar.gz", gzip(&packed)),
        Served::whole(
            "set.zip",
            zip(&[("set/a/1.txt", b"one"), ("set/b/2.txt", b"two")]),
        ),
    ]);
    for file in ["set.tar", "set.tar.gz", "set.zip"] {
        let folder = TemporaryFolder::new();
        let manifest = of_server(&server, file, "unknown", &["set"]);
        quietly(&manifest, &folder).unwrap();
        assert_eq!(names(&folder), ["set"], "{file}");
        let two = fs::read(folder.path().join("set/b/2.txt")).unwrap();
        assert_eq!(two, b"two");
        assert_eq!(quietly(&manifest, &folder).unwrap(), [], "{file} is here");
    }
    let folder = TemporaryFolder::new();
    let text = failed(
        &of_server(&server, "set.zip", "unknown", &["other"]),
        &folder,
    );
    assert!(
        text.ends_with("expected an archive with `other`, found none of that name"),
        "{text}"
    );
}

#[test]
fn nothing_is_written_outside_of_the_folder() {
    let dangerous: [(&'static str, Vec<u8>); 6] = [
        ("up.tar", tar(&[("../up.txt", b'0', b"out")])),
        ("deep.tar", tar(&[("set/../../up.txt", b'0', b"out")])),
        (
            "root.tar",
            tar(&[("/tmp/asap-data-escaped.txt", b'0', b"out")]),
        ),
        (
            "link.tar",
            tar(&[("set", b'2', b""), ("set/x", b'0', b"out")]),
        ),
        ("hard.tar", tar(&[("set", b'1', b"")])),
        ("up.zip", zip(&[("../up.txt", b"out")])),
    ];
    let files = dangerous
        .iter()
        .map(|(name, bytes)| Served::whole(name, bytes.clone()));
    let server = Server::new(files.collect());
    for (file, _) in dangerous {
        let outer = TemporaryFolder::new();
        let folder = outer.path().join("inner");
        let manifest = of_server(&server, file, "unknown", &["set"]);
        let text = fetch(&manifest, &folder, &mut |_| {})
            .unwrap_err()
            .to_string();
        assert!(
            text.contains("files and folders that stay in their folder, found `"),
            "{file}: {text}"
        );
        assert_eq!(names(&outer), Vec::<String>::new(), "{file}");
    }
    assert!(!std::path::Path::new("/tmp/asap-data-escaped.txt").exists());
}

#[test]
fn a_broken_archive_gives_one_error_and_leaves_no_half() {
    let packed = tar(&[("set/a", b'0', &[7; 3000])]);
    let gzipped = gzip(&packed);
    let zipped = zip(&[("set/a", &[7; 3000])]);
    let mut changed = gzip(&packed);
    // The checksum of a gzip file is in its last eight bytes.
    let checksum = changed.len() - 8;
    changed[checksum] ^= 1;
    let server = Server::new(vec![
        Served::whole("a.tar", packed[..1000].to_vec()),
        Served::whole("b.tar.gz", gzipped[..gzipped.len() / 2].to_vec()),
        Served::whole("c.zip", zipped[..zipped.len() / 2].to_vec()),
        Served::whole("d.rar", b"Rar!".to_vec()),
        Served::whole("e.tar.gz", changed),
    ]);
    for file in ["a.tar", "b.tar.gz", "c.zip", "d.rar", "e.tar.gz"] {
        let folder = TemporaryFolder::new();
        let text = failed(&of_server(&server, file, "unknown", &["set"]), &folder);
        let expected = ["a whole archive", "a .zip, .tar or .tar.gz"];
        assert!(
            expected.iter().any(|expected| text.contains(expected)),
            "{file}: {text}"
        );
        assert!(!folder.path().join("set").exists());
    }
}
