//! The examples that are programs of some use, each from its start to its end, together with programs that nobody here wrote.
//!
//! ```text
//!   supervisor      sh, sleep         starts again what ends; SIGTERM and Ctrl-C see all home
//!   file_server     curl              whole files, parts, many at once, clients that hang up
//!   port_scanner    python3           finds what listens, with few descriptors
//! ```
//!
//! It has its own `main`, so that it can be each of the programs as well. What needs a program that is not there says so.

#![cfg_attr(not(unix), allow(unused))]

#[cfg(unix)]
#[path = "../examples/file_server/main.rs"]
#[allow(dead_code, reason = "its `main` is for who runs it by itself")]
mod file_server;
#[cfg(unix)]
#[path = "../examples/port_scanner.rs"]
#[allow(dead_code, reason = "its `main` is for who runs it by itself")]
mod port_scanner;
#[cfg(unix)]
#[path = "../examples/supervisor.rs"]
#[allow(dead_code, reason = "its `main` is for who runs it by itself")]
mod supervisor;

#[cfg(not(unix))]
fn main() {}

#[cfg(unix)]
fn main() -> homing::Result<()> {
    let mut arguments = std::env::args().skip(1);
    if arguments.next().as_deref() == Some("--play") {
        return match arguments.next().as_deref() {
            Some("supervisor") => supervisor::run(arguments),
            Some("file_server") => file_server::run(arguments),
            Some("port_scanner") => port_scanner::run(arguments),
            name => panic!("there is no program {name:?}"),
        };
    }
    unix::test_all();
    Ok(())
}

#[cfg(unix)]
mod unix {
    use std::fs;
    use std::io::{self, BufRead, BufReader, Read};
    use std::net::TcpListener;
    use std::os::unix::process::CommandExt;
    use std::path::{Path, PathBuf};
    use std::process::{Child, ChildStdout, Command, Output, Stdio};
    use std::thread;
    use std::time::{Duration, Instant};

    type Test = fn();

    const TESTS: [(&str, Option<&str>, Test); 5] = [
        ("the_supervisor_starts_again_what_ends", None, the_supervisor_starts_again_what_ends),
        ("ctrl_c_ends_the_supervisor_as_sigterm_does", None, ctrl_c_ends_the_supervisor_as_sigterm_does),
        (
            "the_file_server_gives_files_and_parts_of_them",
            Some("curl"),
            the_file_server_gives_files_and_parts_of_them,
        ),
        (
            "the_scanner_finds_who_listens_with_few_descriptors",
            None,
            the_scanner_finds_who_listens_with_few_descriptors,
        ),
        ("the_scanner_finds_pythons_server", Some("python3"), the_scanner_finds_pythons_server),
    ];

    pub(super) fn test_all() {
        // Nothing here takes long, so what does has got stuck.
        thread::spawn(|| {
            thread::sleep(Duration::from_secs(120));
            eprintln!("the programs were not done within 120 s");
            std::process::exit(1);
        });
        let wanted = std::env::args().skip(1).find(|argument| !argument.starts_with('-'));
        println!("running {} tests", TESTS.len());
        for (name, needs, test) in TESTS {
            if wanted.as_ref().is_some_and(|wanted| !name.contains(wanted.as_str())) {
                continue;
            }
            match needs {
                Some(program) if !is_there(program) => {
                    eprintln!("!!! NOT TESTED: {name}: there is no {program} here !!!");
                }
                _ => {
                    test();
                    println!("test {name} ... ok");
                }
            }
        }
        println!("\ntest result: ok");
    }

    fn is_there(program: &str) -> bool {
        let mut asked = Command::new(program);
        asked.arg("--version").stdout(Stdio::null()).stderr(Stdio::null());
        asked.status().is_ok_and(|status| status.success())
    }

    /// One of the programs, running. Killed when it is dropped, should a test fail.
    struct Program {
        child: Child,
        says: BufReader<ChildStdout>,
    }

    impl Program {
        fn start(name: &str, arguments: &[&str]) -> Program {
            let mut command = Command::new(std::env::current_exe().unwrap());
            command.args(["--play", name]).args(arguments).stdout(Stdio::piped());
            // Whoever runs the tests in the background may have them ignore Ctrl-C, and so would the programs.
            // SAFETY: between fork and exec this makes one system call.
            unsafe {
                command.pre_exec(|| match libc::signal(libc::SIGINT, libc::SIG_DFL) {
                    libc::SIG_ERR => Err(io::Error::last_os_error()),
                    _ => Ok(()),
                });
            }
            let mut child = command.spawn().unwrap();
            let says = BufReader::new(child.stdout.take().unwrap());
            Program { child, says }
        }

        fn line(&mut self) -> String {
            let mut line = String::new();
            assert!(self.says.read_line(&mut line).unwrap() > 0, "it has ended");
            line
        }

        fn signal(&self, signal: libc::c_int) {
            send(self.child.id(), signal);
        }

        /// Waits for its end, and gives what else it has said.
        fn end(mut self) -> String {
            let mut rest = String::new();
            self.says.read_to_string(&mut rest).unwrap();
            let status = self.child.wait().unwrap();
            assert!(status.success(), "{status}, after saying:\n{rest}");
            rest
        }
    }

    impl Drop for Program {
        fn drop(&mut self) {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }

    fn send(process: u32, signal: libc::c_int) {
        // SAFETY: two numbers.
        assert_eq!(unsafe { libc::kill(process as libc::pid_t, signal) }, 0);
    }

    fn exists(process: u32) -> bool {
        // SAFETY: asks only.
        unsafe { libc::kill(process as libc::pid_t, 0) == 0 }
    }

    /// The number at the end of `started … process 4711`.
    fn process(line: &str) -> u32 {
        line.trim_end().rsplit(' ').next().unwrap().parse().unwrap()
    }

    const SLEEPER: &str = "sleep 1000";
    const FAILING: &str = "sh -c 'exit 3'";
    const POLITE: &str = "sh -c 'trap \"echo bye; exit 0\" TERM; echo hello; while :; do sleep 0.02; done'";
    const DEAF: &str = "sh -c 'trap \"\" TERM; echo hello; while :; do sleep 0.02; done'";

    fn the_supervisor_starts_again_what_ends() {
        let mut supervisor = Program::start("supervisor", &[SLEEPER, FAILING, POLITE, DEAF]);
        let (mut started, mut pauses, mut hellos, mut sleepers) = (Vec::new(), Vec::new(), 0, Vec::new());
        while pauses.len() < 3 || hellos < 2 || sleepers.len() < 2 {
            let line = supervisor.line();
            if line.starts_with("started") {
                started.push(process(&line));
                if line.contains(SLEEPER) {
                    sleepers.push(process(&line));
                }
                if sleepers.len() == 1 && line.contains(SLEEPER) {
                    send(sleepers[0], libc::SIGKILL);
                }
            } else if line.starts_with("ended") && line.contains(FAILING) {
                assert!(line.contains("exit status: 3"), "{line}");
                pauses.push(line.trim_end().rsplit(' ').next().unwrap().to_owned());
            } else if line.starts_with("ended") {
                assert!(line.contains(SLEEPER) && line.contains("signal: 9"), "{line}");
            } else if line == "hello\n" {
                hellos += 1;
            }
        }
        assert_eq!(pauses, ["200ms", "400ms", "800ms"]);
        supervisor.signal(libc::SIGTERM);
        let last = supervisor.end();
        assert!(last.contains("bye\n"), "{last}");
        let stopped = |line: &str, how: &str| {
            last.lines().any(|said| said.starts_with("stopped") && said.contains(line) && said.contains(how))
        };
        assert!(stopped(SLEEPER, "signal: 15"), "{last}");
        assert!(stopped(POLITE, "exit status: 0"), "{last}");
        assert!(stopped(DEAF, "signal: 9"), "{last}");
        assert!(!started.iter().any(|process| exists(*process)), "none of {started:?} is left");
    }

    fn ctrl_c_ends_the_supervisor_as_sigterm_does() {
        let mut supervisor = Program::start("supervisor", &[SLEEPER]);
        let sleeper = process(&supervisor.line());
        supervisor.signal(libc::SIGINT);
        assert!(supervisor.end().contains("stopped"));
        assert!(!exists(sleeper));
    }

    /// A directory with something in it, gone in the end.
    struct Files(PathBuf);

    impl Files {
        fn new(name: &str) -> Files {
            let path = std::env::temp_dir().join(format!("homing-{name}-{}", std::process::id()));
            fs::create_dir_all(path.join("sub")).unwrap();
            Files(path.canonicalize().unwrap())
        }

        fn write(&self, name: &str, bytes: &[u8]) {
            fs::write(self.0.join(name), bytes).unwrap();
        }
    }

    impl Drop for Files {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn curl(arguments: &[&str]) -> Output {
        Command::new("curl")
            .args(["-sS", "--noproxy", "*", "--max-time", "60"])
            .args(arguments)
            .output()
            .unwrap()
    }

    /// Of what curl gets: the status, and the body.
    fn got(arguments: &[&str]) -> (String, Vec<u8>) {
        let output = curl(&[&["-w", "%{stderr}%{http_code}"], arguments].concat());
        (String::from_utf8(output.stderr).unwrap(), output.stdout)
    }

    fn the_file_server_gives_files_and_parts_of_them() {
        let files = Files::new("file-server");
        let big: Vec<u8> =
            (0..5_000_011_u32).map(|place| (place.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
        files.write("big file.bin", &big);
        files.write("empty", b"");
        files.write("sub/small", b"small");
        std::os::unix::fs::symlink("/etc/passwd", files.0.join("way out")).unwrap();
        let mut server = Program::start("file_server", &[files.0.to_str().unwrap()]);
        let line = server.line();
        let base = line.trim_end().rsplit(' ').next().unwrap().to_owned();
        let at = |path: &str| format!("{base}{path}");
        let whole = at("/big%20file.bin");

        assert!(got(&[&whole]) == ("200".into(), big.clone()));
        assert_eq!(got(&[&at("/sub/small")]), ("200".into(), b"small".to_vec()));
        assert_eq!(got(&[&at("/empty")]), ("200".into(), Vec::new()));
        assert_eq!(got(&[&at("/")]), ("200".into(), b"big file.bin\nempty\nsub\nway out\n".to_vec()));

        assert!(got(&["-r", "100-299999", &whole]) == ("206".into(), big[100..300_000].to_vec()));
        assert!(got(&["-r", "4000000-", &whole]) == ("206".into(), big[4_000_000..].to_vec()));
        assert_eq!(got(&["-r", "-7", &whole]), ("206".into(), big[big.len() - 7..].to_vec()));
        assert_eq!(got(&["-r", "0-0", &at("/sub/small")]), ("206".into(), b"s".to_vec()));
        assert_eq!(got(&["-r", "6000000-", &whole]).0, "416");

        let head = String::from_utf8(curl(&["-I", &whole]).stdout).unwrap().to_ascii_lowercase();
        assert!(head.contains("content-length: 5000011") && head.contains("accept-ranges: bytes"), "{head}");

        assert_eq!(got(&[&at("/nothing")]).0, "404");
        assert_eq!(got(&[&at("/empty/below")]).0, "404");
        assert_eq!(got(&["--path-as-is", &at("/../../etc/passwd")]).0, "400");
        assert_eq!(got(&[&at("/%2e%2e/%2e%2e/etc/passwd")]).0, "400");
        assert_eq!(got(&[&at("/way%20out")]).0, "403");
        assert_eq!(got(&["-d", "x", &at("/empty")]).0, "405");

        // Many at once, and one who hangs up while he reads slowly.
        thread::scope(|scope| {
            let slow = scope
                .spawn(|| curl(&["--max-time", "0.3", "--limit-rate", "20k", "-o", "/dev/null", &whole]));
            let others: Vec<_> = (0..8).map(|_| scope.spawn(|| got(&[&whole]))).collect();
            for other in others {
                assert!(other.join().unwrap() == ("200".into(), big.clone()));
            }
            assert!(!slow.join().unwrap().status.success());
        });
        assert_eq!(got(&[&at("/sub/small")]).0, "200");
        server.signal(libc::SIGTERM);
        assert_eq!(server.end(), "");
    }

    fn is_open(port: u16) -> String {
        format!("{port} is open\n")
    }

    fn the_scanner_finds_who_listens_with_few_descriptors() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (first, last) = (port.saturating_sub(300).max(1), port.saturating_add(300));
        // As many at a time as it may have, and it needs a few for itself.
        let output = Command::new("sh")
            .args(["-c", "ulimit -n 40; exec \"$0\" \"$@\""])
            .arg(std::env::current_exe().unwrap())
            .args(["--play", "port_scanner", "127.0.0.1", &format!("{first}-{last}"), "--at-most", "20"])
            .output()
            .unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
        assert!(said.contains(&is_open(port)), "{said}");
        assert!(said.contains(&format!("of {} are open", last - first + 1)), "{said}");
        drop(listener);
        let rest = Program::start("port_scanner", &["localhost", &port.to_string()]).end();
        assert_eq!(rest, "0 of 1 are open\n");
    }

    fn the_scanner_finds_pythons_server() {
        let mut python = Command::new("python3")
            .args(["-u", "-m", "http.server", "--bind", "127.0.0.1", "0"])
            .current_dir(Path::new("/"))
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(python.stdout.take().unwrap()).read_line(&mut line).unwrap();
        // `Serving HTTP on 127.0.0.1 port 43210 (http://…`
        let words: Vec<&str> = line.split(' ').collect();
        let port: u16 = words[words.iter().position(|word| *word == "port").unwrap() + 1].parse().unwrap();
        let begin = Instant::now();
        let said = Program::start("port_scanner", &["127.0.0.1", &format!("{}-{port}", port - 50)]).end();
        python.kill().unwrap();
        python.wait().unwrap();
        assert!(said.contains(&is_open(port)), "{said} after {:?}", begin.elapsed());
    }
}
