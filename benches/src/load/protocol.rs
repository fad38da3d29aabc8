//! What client and server say to each other.

use std::str::FromStr;

/// How long a message of the echo is.
pub(crate) const MESSAGE: usize = 64;

const ECHO: [u8; MESSAGE] = [b'.'; MESSAGE];

const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n";

/// A protocol in which each side speaks in turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// Messages of 64 bytes, and the same ones back.
    Echo,
    /// HTTP/1.1: requests on a connection that is kept, and answers with a length.
    Http,
}

impl Protocol {
    /// As commands call it.
    pub fn name(self) -> &'static str {
        match self {
            Protocol::Echo => "echo",
            Protocol::Http => "http",
        }
    }

    /// What the client sends.
    pub(crate) fn message(self) -> &'static [u8] {
        match self {
            Protocol::Echo => &ECHO,
            Protocol::Http => REQUEST,
        }
    }

    /// By how much a server's tally grows with each: bytes that were sent back, or one request.
    pub(crate) fn tallied_each(self) -> u64 {
        match self {
            Protocol::Echo => MESSAGE as u64,
            Protocol::Http => 1,
        }
    }

    /// How long the answer is that begins with these bytes, if enough of them are there to tell.
    ///
    /// # Errors
    ///
    /// If that is no answer, or not the one that was to be given.
    pub(crate) fn answer(self, received: &[u8]) -> Result<Option<usize>, String> {
        match self {
            Protocol::Echo if received != &ECHO[..received.len().min(MESSAGE)] => {
                Err("the server sent back something else".to_owned())
            }
            Protocol::Echo => Ok(Some(MESSAGE)),
            Protocol::Http => http_answer(received),
        }
    }
}

fn http_answer(received: &[u8]) -> Result<Option<usize>, String> {
    const END: &[u8] = b"\r\n\r\n";
    let Some(head) = received.windows(END.len()).position(|four| four == END) else { return Ok(None) };
    let text = std::str::from_utf8(&received[..head]).map_err(|_| "a head that is no text".to_owned())?;
    if !text.starts_with("HTTP/1.1 200 ") {
        return Err(format!("the server answered '{}'", text.lines().next().unwrap_or_default()));
    }
    let length = text.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
    });
    let length = length.ok_or("the server did not say how long its answer is")?;
    Ok(Some(head + END.len() + length))
}

impl FromStr for Protocol {
    type Err = &'static str;

    fn from_str(name: &str) -> Result<Protocol, Self::Err> {
        let known = [Protocol::Echo, Protocol::Http].into_iter().find(|protocol| protocol.name() == name);
        known.ok_or("there are echo and http")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_echo_is_what_was_sent_and_nothing_else() {
        assert_eq!(Protocol::Echo.answer(&ECHO[..10]), Ok(Some(MESSAGE)));
        assert!(Protocol::Echo.answer(b"....!").is_err());
        assert!(Protocol::Echo.answer(&[b'.'; MESSAGE + 1]).is_err());
    }

    #[test]
    fn an_http_answer_is_as_long_as_its_head_says() {
        let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 13\r\ndate: today\r\n\r\nHello, world!";
        for some in 0..answer.len() - 13 {
            assert_eq!(Protocol::Http.answer(&answer[..some]), Ok(None), "{some} bytes");
        }
        assert_eq!(Protocol::Http.answer(&answer[..answer.len() - 13]), Ok(Some(answer.len())));
        assert_eq!(Protocol::Http.answer(answer), Ok(Some(answer.len())));
    }

    #[test]
    fn an_http_error_is_no_answer() {
        let refused = Protocol::Http.answer(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n");
        assert_eq!(refused, Err("the server answered 'HTTP/1.1 404 Not Found'".to_owned()));
        let endless = Protocol::Http.answer(b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n");
        assert!(endless.is_err_and(|reason| reason.contains("how long")));
    }
}
