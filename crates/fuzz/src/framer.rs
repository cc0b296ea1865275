//! However a stream is cut, the same frames come out.

use std::ops::ControlFlow;

use hexmq_wire::{FrameError, Framer};

/// Small, so that it is reached.
const MAXIMUM: u32 = 300;

/// Feeds `stream` in pieces of the sizes given, over and over. Gives where each frame ended and
/// what ended the stream.
fn frames(stream: &[u8], sizes: impl IntoIterator<Item = usize>) -> (Vec<Vec<u8>>, Option<FrameError>) {
    let mut framer = Framer::new(MAXIMUM);
    let mut frames = Vec::new();
    let mut rest = stream;
    let mut sizes = sizes.into_iter();
    while !rest.is_empty() {
        let size = sizes.next().unwrap_or(rest.len()).clamp(1, rest.len());
        let (chunk, behind) = rest.split_at(size);
        let fed = framer.feed(chunk, |frame| {
            frames.push(frame.bytes.to_vec());
            ControlFlow::<()>::Continue(())
        });
        match fed {
            Ok(fed) => assert_eq!(fed.consumed, chunk.len()),
            Err(error) => return (frames, Some(error)),
        }
        assert!(framer.buffered() <= MAXIMUM as usize);
        rest = behind;
    }
    let taken: usize = frames.iter().map(Vec::len).sum();
    assert_eq!(taken + framer.buffered(), stream.len(), "no byte is lost");
    (frames, None)
}

/// The first byte tells the size of pieces, the rest is the stream.
pub fn framer(input: &[u8]) {
    let Some((&size, stream)) = input.split_first() else { return };
    let whole = frames(stream, []);
    assert_eq!(frames(stream, std::iter::repeat(1)), whole);
    assert_eq!(frames(stream, std::iter::repeat(usize::from(size))), whole);
    assert_eq!(frames(stream, input.iter().map(|&byte| usize::from(byte % 16))), whole);
}
