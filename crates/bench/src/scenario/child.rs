//! Processes that the runner starts: any command measured from outside (`measure`), this program's own parts (`own`),
//! and the sink with its private addresses (`SinkProcess`). A sink ends when its standard input does, hence also when
//! the runner is killed.

use std::{
    fs::{self, File},
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    path::Path,
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::{
    error::{Error, Result},
    machine::cpu::{self, CpuTime},
    sink::Weather,
};

/// A command that has ended well, seen from outside.
#[derive(Debug, Clone)]
pub struct Measured {
    /// From start to end of the process.
    pub seconds: f64,
    /// In ticks of 10 ms.
    pub cpu: CpuTime,
    pub peak_memory_kib: u64,
    pub written_bytes: u64,
    pub stdout: String,
}

/// Runs `command` in `folder` and waits for it. Only one may run at a time, because children's CPU is one sum.
pub fn measure(mut command: Command, folder: &Path) -> Result<Measured> {
    let program = format!("{command:?}");
    let (out, err) = (folder.join("child.out"), folder.join("child.err"));
    let create = |path: &Path| File::create(path).map_err(Error::file("create", path));
    // Files rather than pipes: a child that says much must never wait for us.
    command.current_dir(folder).stdin(Stdio::null()).stdout(create(&out)?).stderr(create(&err)?);
    let cpu_before = cpu::ended_children()?;
    let start = Instant::now();
    let mut child = command.spawn().map_err(Error::io("start a child"))?;
    let ended = Arc::new(AtomicBool::new(false));
    let watcher = watch(child.id(), Arc::clone(&ended));
    let status = child.wait();
    let seconds = start.elapsed().as_secs_f64();
    ended.store(true, Relaxed);
    let (peak_memory_kib, written_bytes) = watcher.join().unwrap_or_default();
    let status = status.map_err(Error::io("wait for a child"))?;
    let read = |path: &Path| fs::read_to_string(path).map_err(Error::file("read", path));
    if !status.success() {
        let stderr = read(&err)?;
        let tail = stderr.char_indices().rev().nth(1_500).map_or(0, |(i, _)| i);
        let folder = folder.display().to_string();
        return Err(Error::Child { program, status: status.to_string(), stderr: stderr[tail..].to_owned(), folder });
    }
    Ok(Measured {
        seconds,
        cpu: cpu::ended_children()?.since(cpu_before),
        peak_memory_kib,
        written_bytes,
        stdout: read(&out)?,
    })
}

/// Looks at a process every 5 ms; what it used in its very last moments is missed.
fn watch(pid: u32, ended: Arc<AtomicBool>) -> std::thread::JoinHandle<(u64, u64)> {
    std::thread::spawn(move || {
        let (mut memory, mut written) = (0, 0);
        while !ended.load(Relaxed) {
            memory = cpu::peak_memory_kib(pid).unwrap_or(0).max(memory);
            written = cpu::written_bytes(pid).unwrap_or(0).max(written);
            std::thread::sleep(Duration::from_millis(5));
        }
        (memory, written)
    })
}

/// This program with arguments.
pub fn own_command<S: AsRef<std::ffi::OsStr>>(arguments: &[S]) -> Result<Command> {
    let mut command = Command::new(std::env::current_exe().map_err(Error::io("find this program"))?);
    command.args(arguments);
    Ok(command)
}

/// Runs one of this program's parts and reads the JSON line that it prints last.
pub fn own<T: DeserializeOwned>(arguments: &[String], folder: &Path) -> Result<(T, Measured)> {
    let measured = measure(own_command(arguments)?, folder)?;
    let line = measured.stdout.lines().last().unwrap_or("");
    Ok((serde_json::from_str(line).map_err(Error::json("read a child's result"))?, measured))
}

pub struct SinkProcess {
    child: Child,
    pub url: String,
}

impl SinkProcess {
    pub fn start(weather: Weather) -> Result<Self> {
        let mut command = own_command(&["sink", "--port", "0"])?;
        command.args([
            "--latency-ms",
            &weather.latency_ms.to_string(),
            "--rate-limit",
            &weather.rate_limit.to_string(),
        ]);
        command.args([
            "--fault-rate",
            &weather.fault_rate.to_string(),
            "--fault-seed",
            &weather.fault_seed.to_string(),
        ]);
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().map_err(Error::io("start the sink"))?;
        let mut line = String::new();
        if let Some(out) = child.stdout.take() {
            BufReader::new(out).read_line(&mut line).map_err(Error::io("start the sink"))?;
        }
        let Some(url) = line.trim().strip_prefix("listening ").map(str::to_owned) else {
            child.kill().ok();
            child.wait().ok();
            return Err(Error::Other(format!("the sink said {line:?} instead of where it listens")));
        };
        Ok(Self { child, url })
    }

    /// Empties the sink and sets its counters to zero.
    pub fn reset(&self) -> Result<()> {
        self.call("POST", "/__reset").map(drop)
    }

    /// Sets the counters to zero and keeps the resources.
    pub fn reset_counters(&self) -> Result<()> {
        self.call("POST", "/__reset?counters").map(drop)
    }

    pub fn stats(&self) -> Result<Value> {
        serde_json::from_str(&self.call("GET", "/__stats")?).map_err(Error::json("read the sink's counters"))
    }

    /// The state as one number; 15 us a resource.
    pub fn digest(&self) -> Result<String> {
        let value: Value =
            serde_json::from_str(&self.call("GET", "/__digest")?).map_err(Error::json("read the sink's digest"))?;
        Ok(value["digest"].as_str().unwrap_or_default().to_owned())
    }

    #[must_use]
    pub fn peak_memory_kib(&self) -> u64 {
        cpu::peak_memory_kib(self.child.id()).unwrap_or(0)
    }

    /// One request by hand, so that the runner needs no async runtime.
    fn call(&self, method: &str, path: &str) -> Result<String> {
        let host = self.url.trim_start_matches("http://");
        let mut stream = TcpStream::connect(host).map_err(Error::io("reach the sink"))?;
        let request =
            format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
        stream.write_all(request.as_bytes()).map_err(Error::io("reach the sink"))?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).map_err(Error::io("read from the sink"))?;
        Ok(answer.split_once("\r\n\r\n").map_or_else(String::new, |(_, body)| body.to_owned()))
    }
}

impl Drop for SinkProcess {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        self.child.wait().ok();
    }
}
