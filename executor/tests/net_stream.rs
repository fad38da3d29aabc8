//! Connections: bytes go in and come out, whatever happens in between.

mod net_support;

use homing::net::{TcpListener, TcpStream};
use net_support::{connected_pair, in_runtime, io_kind};
use std::io::ErrorKind;

#[test]
fn what_is_written_is_read_on_the_other_side() {
    in_runtime(async {
        let (left, right) = connected_pair().await?;
        left.write_all(b"to the right").await?;
        right.write_all(b"to the left").await?;
        let mut buffer = [0; 64];
        let length = right.read(&mut buffer).await?;
        assert_eq!(&buffer[..length], b"to the right");
        let length = left.read(&mut buffer).await?;
        assert_eq!(&buffer[..length], b"to the left");
        Ok(())
    });
}

#[test]
fn a_refused_connection_is_an_error_that_names_the_address() {
    in_runtime(async {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        drop(listener);
        let error = TcpStream::connect(address).await.unwrap_err();
        assert_eq!(io_kind(&error), ErrorKind::ConnectionRefused);
        assert!(error.notes().any(|note| note.contains(&address.to_string())), "{error:#}");
        Ok(())
    });
}
