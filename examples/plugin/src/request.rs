//! A request: a question that is asked, an answer that is waited for, and a callback that hears of it once.

use homing::net::TcpStream;
use homing::{Error, Result, timeout};
use std::ffi::{c_char, c_int, c_void};
use std::net::SocketAddr;
use std::time::Duration;

/// The text is the answer.
pub const PLUGIN_OK: c_int = 0;
/// The text says why.
pub const PLUGIN_FAILED: c_int = 1;
/// No answer came in time.
pub const PLUGIN_TIMED_OUT: c_int = 2;
/// The host has cancelled it, or destroyed the plugin.
pub const PLUGIN_CANCELLED: c_int = 3;

/// The longest answer that is taken in.
const LONGEST: usize = 64 * 1024;

#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) server: SocketAddr,
    pub(crate) question: String,
    pub(crate) limit: Duration,
}

impl Request {
    pub(crate) async fn answer(self, done: Done) -> Result<()> {
        match timeout(self.limit, ask(self.server, self.question)).await {
            Ok(answer) => done.call(PLUGIN_OK, &answer),
            Err(error) if error.is_timeout() => done.call(PLUGIN_TIMED_OUT, &error.to_string()),
            Err(error) if error.is_cancelled() => {
                done.call(PLUGIN_CANCELLED, &error.to_string());
                return Err(error);
            }
            Err(error) => done.call(PLUGIN_FAILED, &error.to_string()),
        }
        Ok(())
    }
}

async fn ask(server: SocketAddr, question: String) -> Result<String> {
    let stream = TcpStream::connect(server).await?;
    stream.write_all(format!("{question}\n").as_bytes()).await?;
    let mut answer = Vec::new();
    let mut piece = [0; 1024];
    while !answer.ends_with(b"\n") {
        match stream.read(&mut piece).await? {
            0 => return Err(Error::msg("the server has closed the connection before it has answered")),
            _ if answer.len() > LONGEST => return Err(Error::msg("the answer is too long")),
            length => answer.extend_from_slice(&piece[..length]),
        }
    }
    answer.pop();
    String::from_utf8(answer).map_err(Error::new)
}

/// The host's function: `void (*)(void *context, int status, const char *text, size_t length)`.
pub type Callback = unsafe extern "C" fn(*mut c_void, c_int, *const c_char, usize);

/// The host's callback. If nobody has called it when it is dropped, because its task was cancelled before it began, or
/// aborted, the host hears of a cancellation.
#[derive(Debug)]
pub(crate) struct Done {
    /// `None` once it has been called.
    callback: Option<Callback>,
    context: *mut c_void,
}

impl Done {
    pub(crate) fn new(callback: Callback, context: *mut c_void) -> Done {
        Done { callback: Some(callback), context }
    }

    fn call(mut self, status: c_int, text: &str) {
        self.call_once(status, text);
    }

    #[allow(unsafe_code)]
    fn call_once(&mut self, status: c_int, text: &str) {
        if let Some(callback) = self.callback.take() {
            // SAFETY: the host has promised that the function may be called with this context until it has been called,
            // on the thread on which it made the plugin; the runtime does not leave that thread. The text lives as long
            // as the call.
            unsafe { callback(self.context, status, text.as_ptr().cast(), text.len()) }
        }
    }
}

impl Drop for Done {
    fn drop(&mut self) {
        self.call_once(PLUGIN_CANCELLED, "cancelled before it began");
    }
}
