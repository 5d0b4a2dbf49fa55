//! PPM (what every QEMU writes) to PNG (what every viewer shows).

use flate2::Compression;
use flate2::write::ZlibEncoder;
use std::io::Write;

/// Converts a binary PPM with 8 bits a channel; `None` when it is none.
pub fn from_ppm(ppm: &[u8]) -> Option<Vec<u8>> {
    let mut rest = ppm.strip_prefix(b"P6")?;
    let (mut numbers, mut count) = ([0_usize; 3], 0);
    while count < 3 {
        let (head, tail) = token(rest)?;
        numbers[count] = std::str::from_utf8(head).ok()?.parse().ok()?;
        (rest, count) = (tail, count + 1);
    }
    let [width, height, maximum] = numbers;
    let pixels = rest.get(1..)?;
    let row = width.checked_mul(3)?;
    if maximum != 255 || row == 0 || pixels.len() < row.checked_mul(height)? {
        return None;
    }
    let mut packed = ZlibEncoder::new(Vec::new(), Compression::fast());
    for line in pixels.chunks_exact(row).take(height) {
        packed.write_all(&[0]).ok()?;
        packed.write_all(line).ok()?;
    }
    let mut header = Vec::with_capacity(13);
    header.extend(u32::try_from(width).ok()?.to_be_bytes());
    header.extend(u32::try_from(height).ok()?.to_be_bytes());
    // 8 bits, RGB, deflate, adaptive filters, not interlaced.
    header.extend([8, 2, 0, 0, 0]);
    let mut png = b"\x89PNG\r\n\x1a\n".to_vec();
    for (kind, data) in [(b"IHDR", header), (b"IDAT", packed.finish().ok()?), (b"IEND", Vec::new())] {
        let start = png.len() + 4;
        png.extend(u32::try_from(data.len()).ok()?.to_be_bytes());
        png.extend(kind);
        png.extend(data);
        let crc = crc32fast::hash(png.get(start..)?);
        png.extend(crc.to_be_bytes());
    }
    Some(png)
}

/// The next word of a PPM header, after blanks and comments.
fn token(mut text: &[u8]) -> Option<(&[u8], &[u8])> {
    loop {
        let skipped = text.iter().position(|byte| !byte.is_ascii_whitespace())?;
        text = text.get(skipped..)?;
        if !text.starts_with(b"#") {
            break;
        }
        let end = text.iter().position(|byte| *byte == b'\n')?;
        text = text.get(end..)?;
    }
    let end = text.iter().position(u8::is_ascii_whitespace)?;
    Some(text.split_at(end))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;

    #[test]
    fn two_pixels_survive() {
        let mut ppm = b"P6\n# made by hand\n2 1\n255\n".to_vec();
        ppm.extend([255, 0, 0, 0, 0, 255]);
        let png = from_ppm(&ppm).unwrap();
        assert_eq!(&png[..8], b"\x89PNG\r\n\x1a\n");
        assert_eq!(&png[16..24], [0, 0, 0, 2, 0, 0, 0, 1]);
        let at = png.windows(4).position(|word| word == b"IDAT").unwrap();
        let length = u32::from_be_bytes(png[at - 4..at].try_into().unwrap()) as usize;
        let mut pixels = Vec::new();
        flate2::read::ZlibDecoder::new(&png[at + 4..at + 4 + length]).read_to_end(&mut pixels).unwrap();
        assert_eq!(pixels, [0, 255, 0, 0, 0, 0, 255]);
        assert_eq!(&png[png.len() - 8..png.len() - 4], b"IEND");
    }

    #[test]
    fn what_is_no_picture_is_refused() {
        for bad in [&b"P5\n1 1\n255\nx"[..], b"P6\n2 2\n255\nxx", b"P6\n99999999999999999999 1\n255\n", b""] {
            assert_eq!(from_ppm(bad), None);
        }
    }
}
