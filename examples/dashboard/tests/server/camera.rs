//! A network camera: Motion JPEG over HTTP, which can be switched off and on again, or fall silent.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Between two pictures.
const PACE: Duration = Duration::from_millis(66);

#[derive(Default)]
struct Power {
    on: AtomicBool,
    silent: AtomicBool,
    garbled: AtomicBool,
    size: (AtomicU32, AtomicU32),
    open: Mutex<Vec<TcpStream>>,
}

/// A camera at an address that stays the same.
pub struct Camera {
    address: SocketAddr,
    power: Arc<Power>,
    thread: Mutex<Option<std::thread::JoinHandle<()>>>,
}

impl Camera {
    pub fn on() -> Camera {
        Camera::of(320, 240)
    }

    pub fn of(width: u32, height: u32) -> Camera {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let camera =
            Camera { address: listener.local_addr().unwrap(), power: Arc::default(), thread: Mutex::default() };
        camera.resize(width, height);
        camera.serve(listener);
        camera
    }

    pub fn address(&self) -> String {
        format!("http://{}/video.mjpg", self.address)
    }

    /// What comes from now on is of this size.
    pub fn resize(&self, width: u32, height: u32) {
        self.power.size.0.store(width, Ordering::SeqCst);
        self.power.size.1.store(height, Ordering::SeqCst);
    }

    /// Nothing comes any more, and nothing is closed.
    pub fn silent(&self, silent: bool) {
        self.power.silent.store(silent, Ordering::SeqCst);
    }

    /// What comes is no picture.
    pub fn garbled(&self, garbled: bool) {
        self.power.garbled.store(garbled, Ordering::SeqCst);
    }

    /// Nobody answers there any more.
    pub fn off(&self) {
        self.power.on.store(false, Ordering::SeqCst);
        for stream in self.power.open.lock().unwrap().drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
        // Wakes whoever waits for the next connection.
        drop(TcpStream::connect(self.address));
        if let Some(thread) = self.thread.lock().unwrap().take() {
            thread.join().unwrap();
        }
    }

    pub fn on_again(&self) {
        self.serve(TcpListener::bind(self.address).unwrap());
    }

    fn serve(&self, listener: TcpListener) {
        self.power.on.store(true, Ordering::SeqCst);
        let power = self.power.clone();
        let accept = move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if !power.on.load(Ordering::SeqCst) {
                    return;
                }
                power.open.lock().unwrap().push(stream.try_clone().unwrap());
                let power = power.clone();
                std::thread::spawn(move || show(stream, &power));
            }
        };
        *self.thread.lock().unwrap() = Some(std::thread::spawn(accept));
    }
}

impl Drop for Camera {
    fn drop(&mut self) {
        self.off();
    }
}

/// Sends pictures until the connection ends, which is no error.
fn show(mut stream: TcpStream, power: &Power) {
    let _ = stream.read(&mut [0; 4096]);
    let head = "HTTP/1.1 200 OK\r\ncontent-type: multipart/x-mixed-replace; boundary=frame\r\n\r\n";
    let mut going = stream.write_all(head.as_bytes()).is_ok();
    for at in 0u32.. {
        if !going || !power.on.load(Ordering::SeqCst) {
            return;
        }
        if !power.silent.load(Ordering::SeqCst) {
            let (width, height) = (power.size.0.load(Ordering::SeqCst), power.size.1.load(Ordering::SeqCst));
            let picture =
                if power.garbled.load(Ordering::SeqCst) { vec![b'x'; 2000] } else { picture(at, width, height) };
            let head = format!("--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {}\r\n\r\n", picture.len());
            going = stream.write_all(&[head.as_bytes(), &picture, b"\r\n"].concat()).is_ok();
        }
        std::thread::sleep(PACE);
    }
}

/// A white bar that wanders over grey.
fn picture(at: u32, width: u32, height: u32) -> Vec<u8> {
    let bar = |x: u32, _| image::Rgb([if (x + width - at * 8 % width) % width < width / 8 { 255 } else { 90 }; 3]);
    let mut jpeg = Vec::new();
    let picture = image::RgbImage::from_fn(width, height, bar);
    picture.write_with_encoder(image::codecs::jpeg::JpegEncoder::new_with_quality(&mut jpeg, 80)).unwrap();
    jpeg
}
