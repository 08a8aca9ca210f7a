//! Files and manifests for the comparisons, made in a temporary folder.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

/// The first record id; rows count up from it.
pub const FIRST_RECORD: u64 = 738_964_000_000_000_000;

/// Makes `count` files of `bytes` bytes each in a folder of this name, and says where each is.
pub fn files(folder: &Path, name: &str, count: usize, bytes: usize) -> io::Result<Vec<PathBuf>> {
    let content: Vec<u8> = (0..bytes).map(|at| (at * 31 % 251) as u8).collect();
    let mut paths = Vec::with_capacity(count);
    for number in 0..count {
        let inside = folder.join(name).join(format!("{:03}", number / 1000));
        if number % 1000 == 0 {
            fs::create_dir_all(&inside)?;
        }
        let path = inside.join(format!("file-{number:07}.bin"));
        fs::write(&path, &content)?;
        paths.push(path);
    }
    Ok(paths)
}

/// The format of a manifest to write.
#[derive(Clone, Copy)]
pub enum InputFormat {
    Csv,
    Yaml,
}

/// Writes a manifest of `rows` rows that go round over the files, every row another record, and returns its path.
pub fn manifest(folder: &Path, name: &str, files: &[PathBuf], rows: usize, format: InputFormat) -> io::Result<PathBuf> {
    let path = folder.join(match format {
        InputFormat::Csv => format!("{name}.csv"),
        InputFormat::Yaml => format!("{name}.yaml"),
    });
    let mut out = BufWriter::new(File::create(&path)?);
    match format {
        InputFormat::Csv => writeln!(out, "module,record,file")?,
        InputFormat::Yaml => writeln!(out, "version: 1\nuploads:")?,
    }
    for (row, file) in (0..rows).zip(files.iter().cycle()) {
        let record = FIRST_RECORD + row as u64;
        let file = file.strip_prefix(folder).unwrap_or(file).display();
        match format {
            InputFormat::Csv => writeln!(out, "Leads,{record},{file}")?,
            InputFormat::Yaml => writeln!(out, "  - module: Leads\n    record: {record}\n    file: {file}")?,
        }
    }
    out.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
    Ok(path)
}

/// Writes what `curl -K` needs to upload the same rows, one request each.
pub fn curl_config(folder: &Path, url: &str, files: &[PathBuf], ca: Option<&Path>) -> io::Result<PathBuf> {
    let path = folder.join("curl.config");
    let mut out = BufWriter::new(File::create(&path)?);
    for (row, file) in files.iter().enumerate() {
        let record = FIRST_RECORD + row as u64;
        if row > 0 {
            writeln!(out, "next")?;
        }
        writeln!(out, "url = \"{url}/crm/v2/Leads/{record}/Attachments\"")?;
        writeln!(out, "header = \"Authorization: Zoho-oauthtoken none\"")?;
        writeln!(out, "form = \"file=@{}\"", file.display())?;
        writeln!(out, "output = \"/dev/null\"\nsilent")?;
        if let Some(ca) = ca {
            // On the command line it would hold for one request only.
            writeln!(out, "cacert = \"{}\"", ca.display())?;
        }
    }
    out.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
    Ok(path)
}

/// The upload client that a careful script would be: standard library only, streamed, eight at once.
pub const PYTHON_UPLOADER: &str = r#"
import csv, http.client, os, ssl, sys, threading, urllib.parse
manifest, url, authority = sys.argv[1], urllib.parse.urlparse(sys.argv[2]), sys.argv[3]
rows = csv.DictReader(open(manifest, newline=""))
lock = threading.Lock()
folder = os.path.dirname(manifest)

def connect():
    if url.scheme == "https":
        return http.client.HTTPSConnection(url.netloc, context=ssl.create_default_context(cafile=authority))
    return http.client.HTTPConnection(url.netloc)

def work():
    connection = connect()
    while True:
        with lock:
            row = next(rows, None)
        if row is None:
            return
        path = os.path.join(folder, row["file"])
        name = os.path.basename(path)
        head = (f'--xyz\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n'
                'Content-Type: application/octet-stream\r\n\r\n').encode()
        tail = b"\r\n--xyz--\r\n"
        with open(path, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            connection.putrequest("POST", f'/crm/v2/{row["module"]}/{row["record"]}/Attachments')
            connection.putheader("Authorization", "Zoho-oauthtoken none")
            connection.putheader("Content-Type", "multipart/form-data; boundary=xyz")
            connection.putheader("Content-Length", str(len(head) + size + len(tail)))
            connection.endheaders(head)
            while block := file.read(131072):
                connection.send(block)
            connection.send(tail)
        connection.getresponse().read()

threads = [threading.Thread(target=work) for _ in range(8)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
"#;

/// The least that a script would check: the shape of the id, and each distinct file once.
pub const PYTHON_CHECKER: &str = r#"
import csv, os, sys
manifest = sys.argv[1]
folder = os.path.dirname(manifest)
seen, total, rows = {}, 0, 0
with open(manifest, newline="", encoding="utf-8") as file:
    for row in csv.DictReader(file):
        rows += 1
        if not (row["record"].isdigit() and 10 <= len(row["record"]) <= 19):
            print("bad id", row)
        path = row["file"]
        if path not in seen:
            seen[path] = os.stat(os.path.join(folder, path)).st_size
        total += seen[path]
print(rows, len(seen), total)
"#;
