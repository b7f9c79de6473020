//! Pictures of a page with at most 256 colours: a third of what a browser's own screenshots weigh, and to the eye the
//! same, because a page has few colours and shades between them.

use std::{
    collections::HashMap,
    io::{Read, Write},
};

use flate2::{Compression, Crc, read::ZlibDecoder, write::ZlibEncoder};

/// What every PNG begins with.
const SIGNATURE: [u8; 8] = [137, 80, 78, 71, 13, 10, 26, 10];

type Colour = [u8; 3];

/// The same picture with a palette; `None` of what is no PNG as Chromium makes them (8 bits, no interlacing).
pub fn reduce(png: &[u8]) -> Option<Vec<u8>> {
    let (width, height, pixels) = pixels(png)?;
    let mut counts: HashMap<Colour, usize> = HashMap::new();
    for pixel in &pixels {
        *counts.entry(*pixel).or_default() += 1;
    }
    let mut colours: Vec<(Colour, usize)> = counts.into_iter().collect();
    colours.sort_unstable_by_key(|(colour, count)| (std::cmp::Reverse(*count), *colour));
    let palette = palette(&colours);
    let index: HashMap<Colour, u8> =
        colours.iter().map(|(colour, _)| (*colour, nearest(&palette, *colour) as u8)).collect();
    let mut rows = Vec::with_capacity((width + 1) * height);
    for row in pixels.chunks(width) {
        rows.push(0);
        rows.extend(row.iter().map(|pixel| index[pixel]));
    }
    let mut deflated = ZlibEncoder::new(Vec::new(), Compression::best());
    deflated.write_all(&rows).ok()?;
    let mut head = Vec::new();
    head.extend_from_slice(&(width as u32).to_be_bytes());
    head.extend_from_slice(&(height as u32).to_be_bytes());
    // Eight bits, a palette, no interlacing.
    head.extend_from_slice(&[8, 3, 0, 0, 0]);
    let mut out = SIGNATURE.to_vec();
    chunk(&mut out, b"IHDR", &head);
    chunk(&mut out, b"PLTE", &palette.concat());
    chunk(&mut out, b"IDAT", &deflated.finish().ok()?);
    chunk(&mut out, b"IEND", &[]);
    Some(out)
}

fn chunk(out: &mut Vec<u8>, kind: &[u8; 4], data: &[u8]) {
    out.extend_from_slice(&(data.len() as u32).to_be_bytes());
    out.extend_from_slice(kind);
    out.extend_from_slice(data);
    let mut sum = Crc::new();
    sum.update(kind);
    sum.update(data);
    out.extend_from_slice(&sum.sum().to_be_bytes());
}

/// The most frequent colours that are far enough apart for all to find one near them.
fn palette(colours: &[(Colour, usize)]) -> Vec<Colour> {
    let mut apart = 0;
    loop {
        let mut taken: Vec<Colour> = Vec::new();
        for (colour, _) in colours {
            if taken.len() > 256 {
                break;
            }
            if taken.iter().all(|other| distance(*other, *colour) > apart) {
                taken.push(*colour);
            }
        }
        if taken.len() <= 256 {
            return taken;
        }
        apart = apart * 2 + 2;
    }
}

fn distance(a: Colour, b: Colour) -> u32 {
    a.iter().zip(b).map(|(a, b)| u32::from(a.abs_diff(b)).pow(2)).sum()
}

fn nearest(palette: &[Colour], colour: Colour) -> usize {
    (0..palette.len()).min_by_key(|index| distance(palette[*index], colour)).unwrap_or(0)
}

/// Width, height and the pixels, row by row.
fn pixels(png: &[u8]) -> Option<(usize, usize, Vec<Colour>)> {
    let mut rest = png.strip_prefix(&SIGNATURE)?;
    let (mut head, mut deflated) = (None, Vec::new());
    while let Some((length, after)) = rest.split_first_chunk::<4>() {
        let length = u32::from_be_bytes(*length) as usize;
        let (kind, after) = after.split_first_chunk::<4>()?;
        let data = after.get(..length)?;
        match kind {
            b"IHDR" => head = Some(data.to_vec()),
            b"IDAT" => deflated.extend_from_slice(data),
            _ => {}
        }
        rest = after.get(length + 4..)?;
    }
    let head = head?;
    let side = |at: usize| Some(u32::from_be_bytes(*head.get(at..)?.first_chunk()?) as usize);
    let (width, height) = (side(0)?, side(4)?);
    let bytes = match head.get(8..)? {
        [8, 2, 0, 0, 0] => 3,
        [8, 6, 0, 0, 0] => 4,
        _ => return None,
    };
    let mut raw = Vec::new();
    ZlibDecoder::new(deflated.as_slice()).read_to_end(&mut raw).ok()?;
    let mut above = vec![0; width * bytes];
    let mut out = Vec::with_capacity(width * height);
    for line in raw.chunks_exact(width * bytes + 1) {
        let (filter, line) = line.split_first()?;
        let row = unfilter(*filter, line, &above, bytes)?;
        out.extend(row.chunks_exact(bytes).map(|pixel| [pixel[0], pixel[1], pixel[2]]));
        above = row;
    }
    (out.len() == width * height).then_some((width, height, out))
}

/// A row as it was before it was filtered (PNG, section 9).
fn unfilter(filter: u8, line: &[u8], above: &[u8], bytes: usize) -> Option<Vec<u8>> {
    let mut row: Vec<u8> = Vec::with_capacity(line.len());
    for (index, value) in line.iter().enumerate() {
        let left = index.checked_sub(bytes).map_or(0, |at| row[at]);
        let corner = index.checked_sub(bytes).map_or(0, |at| above[at]);
        let guess = match filter {
            0 => 0,
            1 => left,
            2 => above[index],
            3 => ((u16::from(left) + u16::from(above[index])) / 2) as u8,
            4 => paeth(left, above[index], corner),
            _ => return None,
        };
        row.push(value.wrapping_add(guess));
    }
    Some(row)
}

fn paeth(left: u8, above: u8, corner: u8) -> u8 {
    let guess = i16::from(left) + i16::from(above) - i16::from(corner);
    let off = |value: u8| (guess - i16::from(value)).abs();
    if off(left) <= off(above) && off(left) <= off(corner) {
        left
    } else if off(above) <= off(corner) {
        above
    } else {
        corner
    }
}
