//! An echo server over TLS, with rustls. Try it with `openssl s_client -quiet -connect 127.0.0.1:PORT`.
//!
//! futures-rustls makes a stream of a stream: it reads and writes as futures-io says, and that is what a `TcpStream` does.

use clap::Parser;
use futures_rustls::TlsAcceptor;
use futures_util::{AsyncReadExt, AsyncWriteExt};
use homing::net::{TcpListener, TcpStream};
use homing::{Result, Server, timeout};
use serving::tls::Certificate;
use serving::{say, told_to_stop};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

#[derive(Parser)]
struct Options {
    /// Where to listen.
    #[arg(long, default_value = "127.0.0.1:0")]
    address: SocketAddr,
    /// Where to write the certificate to that clients are to trust.
    #[arg(long)]
    certificate: Option<PathBuf>,
}

fn main() -> Result<()> {
    let options = Options::parse();
    homing::run(async move {
        let certificate = Certificate::new()?;
        if let Some(path) = &options.certificate {
            std::fs::write(path, certificate.pem())?;
        }
        let acceptor = certificate.acceptor(&[])?;
        let listener = TcpListener::bind(options.address)?;
        say("tls", listener.local_addr()?)?;
        let handler = |(stream, _peer), _stopping| {
            let acceptor = acceptor.clone();
            async move {
                match echo(stream, acceptor).await {
                    Err(error) if error.is_cancelled() => Err(error),
                    // A client that does not trust us, or hangs up, is its own affair.
                    Err(error) => Ok(eprintln!("{error}")),
                    Ok(()) => Ok(()),
                }
            }
        };
        let server = Server::new().limit(1_000).grace(Duration::from_secs(2));
        let served = server.run(told_to_stop(), async || listener.accept().await, handler).await?;
        Ok(say("served", format_args!("{served:?}"))?)
    })
}

async fn echo(stream: TcpStream, acceptor: TlsAcceptor) -> Result<()> {
    let mut stream = timeout(Duration::from_secs(10), async { Ok(acceptor.accept(stream).await?) }).await?;
    let mut buffer = [0; 16 << 10];
    loop {
        match stream.read(&mut buffer).await? {
            0 => return Ok(stream.close().await?),
            length => {
                stream.write_all(&buffer[..length]).await?;
                stream.flush().await?;
            }
        }
    }
}
