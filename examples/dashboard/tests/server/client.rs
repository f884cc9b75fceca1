//! Who asks: requests written out as bytes, and viewers at the live socket.

use std::fmt;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};

use serde_json::Value;
use socket2::{Domain, Socket, Type};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::handshake::HandshakeError;
use tokio_tungstenite::tungstenite::http::{HeaderName, HeaderValue};
use tokio_tungstenite::tungstenite::{self, Message, WebSocket};

use crate::rig::LIMIT;

/// An answer, as it came.
pub struct Answer {
    pub status: u16,
    head: String,
    pub body: Vec<u8>,
}

impl Answer {
    /// `None` where the connection was closed without one, or within its head.
    pub fn parse(bytes: &[u8]) -> Option<Answer> {
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n")?;
        let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
        let status =
            head.strip_prefix("HTTP/1.").and_then(|rest| rest.get(2..5)).and_then(|digits| digits.parse().ok());
        let answer = Answer { status: status.unwrap(), head, body: bytes[end + 4..].to_vec() };
        if let Some(length) = answer.header("content-length") {
            assert_eq!(length, answer.body.len().to_string(), "{answer}");
        }
        Some(answer)
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        let pairs = self.head.lines().skip(1).filter_map(|line| line.split_once(':'));
        pairs.filter(|(other, _)| other.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim()).next()
    }

    pub fn json(&self) -> Value {
        assert_eq!(self.header("content-type"), Some("application/json"), "{self}");
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self}"))
    }

    /// The sentence of an error, which every refusal bears.
    pub fn sentence(&self) -> String {
        assert!((400..600).contains(&self.status), "{self}");
        let json = self.json();
        assert_eq!(json.as_object().unwrap().len(), 1, "{self}");
        let sentence = json["error"].as_str().unwrap_or_else(|| panic!("{self}")).to_string();
        assert!(sentence.contains(' '), "{self}");
        sentence
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let body = String::from_utf8_lossy(&self.body);
        write!(f, "{}\n{}", self.head, body.chars().take(300).collect::<String>())
    }
}

pub fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(LIMIT)).unwrap();
    stream.set_write_timeout(Some(LIMIT)).unwrap();
    stream
}

/// A connection that has room for little: what it does not read stays with the server.
pub fn narrow(address: SocketAddr) -> TcpStream {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    socket.connect(&address.into()).unwrap();
    let stream = TcpStream::from(socket);
    stream.set_read_timeout(Some(LIMIT)).unwrap();
    stream
}

/// All that comes until the other side closes, also where it does so with a reset.
pub fn read_all(stream: &mut TcpStream) -> Vec<u8> {
    let (mut all, mut some) = (Vec::new(), [0; 65536]);
    loop {
        match stream.read(&mut some) {
            Ok(0) => return all,
            Ok(n) => all.extend(&some[..n]),
            Err(error) if matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe) => return all,
            Err(error) => panic!("{error} after {} bytes", all.len()),
        }
    }
}

/// Writes a request out; the headers given come before and in place of its own.
pub fn request(address: SocketAddr, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    let mut text = format!("{method} {path} HTTP/1.1\r\n");
    let (host, length) = (address.to_string(), body.len().to_string());
    let own = [("host", host.as_str()), ("connection", "close"), ("content-length", &length)];
    let own = own.iter().filter(|(name, _)| !headers.iter().any(|(other, _)| other == name));
    for (name, value) in headers.iter().chain(own) {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    [text.as_bytes(), b"\r\n", body].concat()
}

pub fn ask(address: SocketAddr, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
    say(address, &request(address, method, path, headers, body))
        .unwrap_or_else(|| panic!("no answer to {method} {path}"))
}

/// Sends bytes, whatever they are, and hears what comes.
pub fn say(address: SocketAddr, bytes: &[u8]) -> Option<Answer> {
    let mut stream = connect(address);
    // The rest of what is too long is not read any more.
    let _ = stream.write_all(bytes);
    Answer::parse(&read_all(&mut stream))
}

/// A picture with its numbers.
pub struct Shot {
    pub head: Value,
    pub jpeg: Vec<u8>,
}

impl Shot {
    pub fn parse(message: &[u8]) -> Shot {
        let length = u32::from_le_bytes(*message.first_chunk().unwrap()) as usize;
        let head = serde_json::from_slice(&message[4..4 + length]).unwrap();
        Shot { head, jpeg: message[4 + length..].to_vec() }
    }

    /// The picture, decoded, which is as large as is said.
    pub fn picture(&self) -> image::RgbImage {
        assert!(!self.jpeg.is_empty(), "no picture: {}", self.head);
        let picture = decoded(&self.jpeg);
        assert_eq!(
            (Some(u64::from(picture.width())), Some(u64::from(picture.height()))),
            (self.head["width"].as_u64(), self.head["height"].as_u64())
        );
        picture
    }
}

pub fn decoded(jpeg: &[u8]) -> image::RgbImage {
    image::load_from_memory_with_format(jpeg, image::ImageFormat::Jpeg).unwrap().to_rgb8()
}

/// A viewer of one camera.
pub struct Viewer {
    pub socket: WebSocket<TcpStream>,
}

impl Viewer {
    pub fn open(address: SocketAddr, path: &str) -> Viewer {
        Viewer::try_open(connect(address), address, path, &[]).unwrap_or_else(|status| panic!("{path}: {status}"))
    }

    /// The status with which it is turned away, if it is.
    pub fn try_open(
        stream: TcpStream,
        address: SocketAddr,
        path: &str,
        headers: &[(&str, &str)],
    ) -> Result<Viewer, u16> {
        let mut request = format!("ws://{address}{path}").into_client_request().unwrap();
        for (name, value) in headers {
            request.headers_mut().insert(HeaderName::try_from(*name).unwrap(), HeaderValue::try_from(*value).unwrap());
        }
        match tungstenite::client(request, stream) {
            Ok((socket, _)) => Ok(Viewer { socket }),
            Err(HandshakeError::Failure(tungstenite::Error::Http(answer))) => Err(answer.status().as_u16()),
            Err(error) => panic!("{path}: {error}"),
        }
    }

    /// One with a thin line.
    pub fn open_narrow(address: SocketAddr, path: &str) -> Viewer {
        Viewer::try_open(narrow(address), address, path, &[]).unwrap_or_else(|status| panic!("{path}: {status}"))
    }

    /// The next message.
    pub fn next(&mut self) -> Shot {
        loop {
            match self.socket.read().unwrap() {
                Message::Binary(bytes) => return Shot::parse(&bytes),
                Message::Ping(_) | Message::Pong(_) => {}
                other => panic!("a message that is {other:?}"),
            }
        }
    }

    /// The first message that is like that.
    pub fn find(&mut self, what: &str, like: impl Fn(&Shot) -> bool) -> Shot {
        let end = std::time::Instant::now() + LIMIT;
        loop {
            let shot = self.next();
            if like(&shot) {
                return shot;
            }
            assert!(std::time::Instant::now() < end, "not seen within {LIMIT:?}: {what}; the last is {}", shot.head);
        }
    }

    /// The first picture that bears a map.
    pub fn explained(&mut self) -> Shot {
        self.find("a picture with a map", |shot| shot.head["seen"].is_object())
    }
}
