//! One file over HTTP, going on where an earlier try broke off.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::path::Path;
use std::thread;
use std::time::Duration;

use ureq::Agent;
use ureq::http::{HeaderMap, StatusCode};

use super::FetchEvent;
use crate::checksum::Checksum;
use crate::error::{Error, Result};
use crate::manifest::Download;

/// How often in a row a try may bring nothing.
const FRUITLESS: usize = 3;
const PAUSE: Duration = Duration::from_millis(300);
const TIMEOUT: Duration = Duration::from_secs(60);
const BLOCK: usize = 1 << 16;

/// Brings the file of `download` to `path`, from the first of its places that has it.
pub(super) fn download(
    download: &Download,
    path: &Path,
    tell: &mut dyn FnMut(FetchEvent<'_>),
) -> Result<()> {
    let agent = patient(TIMEOUT);
    let mut outcome = Err(Error::setting("places to download from", "at least one", 0));
    for url in &download.urls {
        if download.checksum == Checksum::Unknown {
            // Nothing would tell if what is here were the beginning of another file.
            remove(path)?;
        }
        outcome = from(&agent, url, download, path, tell);
        match &outcome {
            // Another place may have what this one has not.
            Err(Error::Download { .. }) => {}
            _ => return outcome,
        }
    }
    outcome
}

/// An agent that waits for so long for each sign of life.
fn patient(timeout: Duration) -> Agent {
    let config = Agent::config_builder()
        .timeout_connect(Some(timeout))
        .timeout_recv_response(Some(timeout))
        .timeout_per_read(Some(timeout))
        .http_status_as_error(false)
        .build();
    Agent::new_with_config(config)
}

/// Why a try ended before the file was whole.
enum Failure {
    /// The next try may go on.
    Broken(String),
    /// It would not.
    Final(Error),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Final(error)
    }
}

fn from(
    agent: &Agent,
    url: &str,
    download: &Download,
    path: &Path,
    tell: &mut dyn FnMut(FetchEvent<'_>),
) -> Result<()> {
    let mut fruitless = 0;
    loop {
        let before = length(path);
        let found = match attempt(agent, url, download, path, tell) {
            Ok(()) => return Ok(()),
            Err(Failure::Final(error)) => return Err(error),
            Err(Failure::Broken(found)) => found,
        };
        fruitless = if length(path) > before {
            0
        } else {
            fruitless + 1
        };
        if fruitless == FRUITLESS {
            return Err(Error::Download {
                url: url.to_owned(),
                found,
            });
        }
        thread::sleep(PAUSE);
    }
}

fn attempt(
    agent: &Agent,
    url: &str,
    download: &Download,
    path: &Path,
    tell: &mut dyn FnMut(FetchEvent<'_>),
) -> Result<(), Failure> {
    let have = length(path);
    let mut request = agent.get(url);
    if have > 0 {
        request = request.header("Range", format!("bytes={have}-"));
    }
    let response = request
        .call()
        .map_err(|error| Failure::Broken(error.to_string()))?;
    let (status, headers) = (response.status(), response.headers());
    let (start, total) = match status {
        StatusCode::OK => (0, number(headers, "content-length", Some)),
        StatusCode::PARTIAL_CONTENT => {
            let range = |text| range(text).map(|(start, _)| start);
            match number(headers, "content-range", range) {
                Some(start) if start == have => (have, whole(headers)),
                _ => return Err(final_download(url, "another part than was asked for")),
            }
        }
        // Nothing is left to send, or what is here is of another file.
        StatusCode::RANGE_NOT_SATISFIABLE if have > 0 => {
            if whole(headers) == Some(have) && is_length(download, have) {
                return Ok(());
            }
            remove(path)?;
            return Err(Failure::Broken(status.to_string()));
        }
        _ => return Err(final_download(url, &status.to_string())),
    };
    if let Some(total) = total
        && !is_length(download, total)
    {
        remove(path)?;
        let expected = download.bytes.unwrap_or_default();
        let found = format!("a file of {total} bytes where the manifest has {expected}");
        return Err(final_download(url, &found));
    }
    receive(
        response.into_body().into_reader(),
        &download.file,
        path,
        (start, total),
        tell,
    )
}

/// Appends what `body` brings to the first `start` bytes of the file at `path`, up to `total`.
fn receive(
    mut body: impl Read,
    file: &str,
    path: &Path,
    (start, total): (u64, Option<u64>),
    tell: &mut dyn FnMut(FetchEvent<'_>),
) -> Result<(), Failure> {
    let write = |source| Failure::Final(Error::write(path, source));
    let mut target = OpenOptions::new()
        .create(true)
        .append(true)
        .open(path)
        .map_err(write)?;
    target.set_len(start).map_err(write)?;
    let (mut bytes, mut block) = (start, vec![0; BLOCK]);
    tell(FetchEvent::Downloaded { file, bytes, total });
    loop {
        let read = match body.read(&mut block) {
            Ok(0) => break,
            Ok(read) => read,
            Err(error) => return Err(Failure::Broken(format!("{error} after {bytes} bytes"))),
        };
        target.write_all(&block[..read]).map_err(write)?;
        bytes += read as u64;
        tell(FetchEvent::Downloaded { file, bytes, total });
    }
    flush(&target, path)?;
    match total {
        Some(total) if bytes < total => Err(Failure::Broken(format!("{bytes} of {total} bytes"))),
        _ => Ok(()),
    }
}

fn flush(file: &File, path: &Path) -> Result<(), Failure> {
    file.sync_all()
        .map_err(|source| Failure::Final(Error::write(path, source)))
}

fn remove(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(source) if path.exists() => Err(Error::write(path, source)),
        _ => Ok(()),
    }
}

fn final_download(url: &str, found: &str) -> Failure {
    Failure::Final(Error::Download {
        url: url.to_owned(),
        found: found.to_owned(),
    })
}

fn is_length(download: &Download, bytes: u64) -> bool {
    download.bytes.is_none_or(|expected| expected == bytes)
}

/// Bytes that are here of the file at `path`.
fn length(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |metadata| metadata.len())
}

/// The length of the whole file, by the range that was sent of it.
fn whole(headers: &HeaderMap) -> Option<u64> {
    number(headers, "content-range", |text| {
        range(text).map(|(_, whole)| whole)
    })
}

/// Where the part begins and how long the whole is, of `bytes 5-9/10`; the first may be missing.
fn range(text: &str) -> Option<(&str, &str)> {
    let (part, whole) = text.strip_prefix("bytes ")?.split_once('/')?;
    Some((part.split('-').next().unwrap_or_default(), whole))
}

fn number<'a>(
    headers: &'a HeaderMap,
    name: &str,
    digits: impl Fn(&'a str) -> Option<&'a str>,
) -> Option<u64> {
    digits(headers.get(name)?.to_str().ok()?)?
        .trim()
        .parse()
        .ok()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use std::net::TcpListener;
    use std::{env, process};

    use super::*;

    #[test]
    fn a_body_that_stalls_is_given_up() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/file", listener.local_addr().unwrap());
        let server = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut asked = [0; 1 << 12];
            assert!(stream.read(&mut asked).unwrap() > 0);
            write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf").unwrap();
            // Until the other side goes; not for ever, so that a client that would wait fails this test.
            stream
                .set_read_timeout(Some(Duration::from_secs(10)))
                .unwrap();
            let _ = stream.read(&mut asked);
        });
        let download = Download {
            file: "file".to_owned(),
            urls: vec![url.clone()],
            bytes: None,
            checksum: Checksum::Unknown,
            checksum_from: String::new(),
            unpacks_to: Vec::new(),
        };
        let path = env::temp_dir().join(format!("asap-data-stalled-{}", process::id()));
        let agent = patient(Duration::from_millis(200));
        let outcome = attempt(&agent, &url, &download, &path, &mut |_| {});
        let received = fs::read(&path);
        remove(&path).unwrap();
        let Err(Failure::Broken(found)) = outcome else {
            panic!("it should be tried again");
        };
        assert!(found.contains("timeout"), "{found}");
        assert_eq!(received.unwrap(), b"half");
        drop(agent);
        server.join().unwrap();
    }
}
