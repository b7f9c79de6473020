//! Widths of letters: names are cut at any size without being measured at each.

use std::collections::BTreeMap;

use super::{Measure, TITLE};
use crate::{format, shown::visible};

/// What stands where a name is cut.
const CUT: char = '…';
/// A name that is cut keeps at least so many letters, [`CUT`] among them.
const LEAST: usize = 3;

/// How wide each letter of a scene's names is, in pixels for each pixel of its size. Of a name that is as much as its letters
/// together, but for pairs that the font moves closer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Letters {
    /// By their codes; 0 for those that no name has.
    ascii: Vec<f64>,
    others: BTreeMap<char, f64>,
}

impl Letters {
    /// Those of `names`, each measured once.
    pub fn of<'a>(names: impl Iterator<Item = &'a str>, measure: &dyn Measure) -> Self {
        let mut letters = Self { ascii: vec![0.0; 128], others: BTreeMap::new() };
        for letter in names.flat_map(str::chars).chain([CUT]) {
            let width = match letters.ascii.get_mut(letter as usize) {
                Some(width) => width,
                None => letters.others.entry(letter).or_default(),
            };
            if *width == 0.0 {
                *width = measure.title(letter.encode_utf8(&mut [0; 4])) / TITLE;
            }
        }
        letters
    }

    /// A letter that was not measured is taken to be as wide as high.
    fn width(&self, letter: char) -> f64 {
        self.ascii.get(letter as usize).or_else(|| self.others.get(&letter)).copied().unwrap_or(1.0)
    }

    /// As much of a name as has room, which is in pixels for each pixel of the letters' size. Both ends are kept: neighbours
    /// often begin alike and differ in their last letters.
    pub fn cut(&self, name: &str, room: f64) -> String {
        if name.chars().map(|letter| self.width(letter)).sum::<f64>() <= room {
            return visible(name);
        }
        let most = name.chars().count().saturating_sub(1);
        let (mut front, mut back) = (name.chars(), name.chars().rev());
        let (mut kept, mut used) = (1, self.width(CUT));
        while kept < most {
            // In the order in which a longer form has one letter more.
            let next = if kept % 2 == 1 { front.next() } else { back.next() };
            used += next.map_or(0.0, |letter| self.width(letter));
            if used > room && kept >= LEAST {
                break;
            }
            kept += 1;
        }
        format::middle(name, kept.max(LEAST))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A font whose `W` is three times as wide as its `i`, and whose characters of China are squares.
    struct Font;

    impl Measure for Font {
        fn title(&self, text: &str) -> f64 {
            let width = |letter: char| match letter {
                'W' => 0.9,
                'i' => 0.3,
                '一'..='龯' => 1.0,
                _ => 0.5,
            };
            text.chars().map(width).sum::<f64>() * TITLE
        }

        fn small(&self, text: &str) -> f64 {
            self.title(text)
        }
    }

    const NAMES: [&str; 7] =
        ["iiiiiiiiiiiiiiiiiiii", "WWWWWWWWWWWW", "Wi", "WiWi", "order-service-north-12", "订单服务北京第十二号", ""];

    fn cut(name: &str, room: f64) -> String {
        Letters::of(NAMES.into_iter(), &Font).cut(name, room)
    }

    #[test]
    fn wide_letters_leave_room_for_fewer() {
        assert_eq!(cut(NAMES[0], 6.2), NAMES[0], "twenty narrow letters");
        assert_eq!(cut(NAMES[1], 6.2), "WWW…WWW");
        assert_eq!(cut(NAMES[4], 6.2), "order-…th-12");
        assert_eq!(cut(NAMES[5], 6.2), "订单服…二号");
        assert_eq!(cut("WiWi", 2.0), "W…i", "one letter less than all of it");
    }

    #[test]
    fn no_name_is_wider_than_its_room_and_none_has_room_for_more() {
        for name in NAMES {
            let length = name.chars().count();
            for room in (2..30).map(|halves| f64::from(halves) / 2.0) {
                let text = cut(name, room);
                let (kept, width) = (text.chars().count(), Font.title(&text) / TITLE);
                assert!(width <= room + 1e-9 || kept <= LEAST, "{text} in {room}");
                if kept < length {
                    let longer = if kept + 1 < length { format::middle(name, kept + 1) } else { name.to_owned() };
                    assert!(Font.title(&longer) / TITLE > room - 1e-9, "{longer} has room in {room}, not only {text}");
                }
            }
        }
    }
}
