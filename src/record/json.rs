//! A record as a JSON object with the fields of the table, and back. It is also the way to a `GstStructure` and back.

use std::time::Duration;

use serde_json::{Map, Value};

use super::{Record, Seen};
use crate::explain::{Guess, Summary};
use crate::frame::Region;

type Object = Map<String, Value>;

impl Record {
    /// The fields of the table; what there is not is left out.
    pub fn to_json(&self) -> Object {
        let mut object = Object::new();
        let times = [
            ("timestamp", self.timestamp),
            ("stream-time", self.stream_time),
            ("running-time", self.running_time),
            ("duration", self.duration),
            ("map-age", self.map_age),
            ("inference-time", self.inference_time),
        ];
        for (name, time) in times {
            insert_time(&mut object, name, time);
        }
        object.insert("width".into(), self.size.0.into());
        object.insert("height".into(), self.size.1.into());
        if let Some(region) = self.region {
            insert_region(&mut object, "region", region);
        }
        insert_classes(&mut object, &self.seen, &self.best);
        object.insert("objects".into(), self.objects.iter().map(|one| Value::Object(one.to_json())).collect());
        object.insert("provider".into(), self.provider.as_str().into());
        object.insert("annotated".into(), self.annotated.into());
        object.extend(self.reason.iter().map(|reason| ("reason".to_string(), reason.as_str().into())));
        object
    }

    /// `None` where a field that is always there is missing, or one is of another type.
    pub fn from_json(object: &Object) -> Option<Record> {
        let whole = |name: &str| Some(object.get(name)?.as_u64()? as usize);
        let (seen, best) = classes(object)?;
        Some(Record {
            timestamp: time(object, "timestamp"),
            stream_time: time(object, "stream-time"),
            running_time: time(object, "running-time"),
            duration: time(object, "duration"),
            size: (whole("width")?, whole("height")?),
            region: region(object, "region"),
            seen,
            best,
            objects: list(object, "objects")?.into_iter().map(super::Object::from_json).collect::<Option<_>>()?,
            map_age: time(object, "map-age"),
            inference_time: time(object, "inference-time"),
            provider: object.get("provider")?.as_str()?.into(),
            annotated: object.get("annotated")?.as_bool()?,
            reason: object.get("reason").and_then(Value::as_str).map(String::from),
        })
    }
}

impl super::Object {
    fn to_json(&self) -> Object {
        let mut object = Object::new();
        object.insert("object-id".into(), self.id.into());
        insert_region(&mut object, "object", self.bounds);
        insert_region(&mut object, "region", self.region);
        insert_classes(&mut object, &self.seen, &self.best);
        insert_time(&mut object, "inference-time", self.inference_time);
        object
    }

    fn from_json(object: &Object) -> Option<super::Object> {
        let (seen, best) = classes(object)?;
        Some(super::Object {
            id: i32::try_from(object.get("object-id")?.as_i64()?).ok()?,
            bounds: region(object, "object")?,
            region: region(object, "region")?,
            seen,
            best,
            inference_time: time(object, "inference-time"),
        })
    }
}

/// The classes explained, the first of them among the other fields, and the likeliest ones.
fn insert_classes(object: &mut Object, seen: &[Seen], best: &[Guess]) {
    let mut seen = seen.iter().map(Seen::to_json);
    object.extend(seen.next().into_iter().flatten());
    object.insert("others".into(), seen.map(Value::Object).collect());
    object.insert("top-k".into(), best.iter().map(|guess| Value::Object(guess_to_json(guess))).collect());
}

fn classes(object: &Object) -> Option<(Vec<Seen>, Vec<Guess>)> {
    let first = object.contains_key("class").then_some(object);
    let seen = first.into_iter().chain(list(object, "others")?).map(Seen::from_json).collect::<Option<_>>()?;
    Some((seen, list(object, "top-k")?.into_iter().map(guess_from_json).collect::<Option<_>>()?))
}

fn list<'a>(object: &'a Object, name: &str) -> Option<Vec<&'a Object>> {
    object.get(name)?.as_array()?.iter().map(Value::as_object).collect()
}

impl Seen {
    fn to_json(&self) -> Object {
        let mut object = guess_to_json(&self.guess);
        if let Some(Summary { peak, centroid, hot, roi_share, entropy }) = &self.summary {
            insert_point(&mut object, "peak", *peak);
            insert_point(&mut object, "centroid", *centroid);
            insert_region(&mut object, "box", *hot);
            object.extend(roi_share.map(|share| ("roi-share".to_string(), share.into())));
            object.insert("entropy".into(), (*entropy).into());
        }
        object
    }

    fn from_json(object: &Object) -> Option<Seen> {
        let summary = || {
            Some(Summary {
                peak: (number(object, "peak-x")?, number(object, "peak-y")?),
                centroid: (number(object, "centroid-x")?, number(object, "centroid-y")?),
                hot: region(object, "box")?,
                roi_share: number(object, "roi-share"),
                entropy: number(object, "entropy")?,
            })
        };
        Some(Seen { guess: guess_from_json(object)?, summary: summary() })
    }
}

fn guess_to_json(guess: &Guess) -> Object {
    let fields = [("class", guess.class.into()), ("label", guess.label.as_str().into()), ("score", guess.score.into())];
    fields.into_iter().map(|(name, value): (&str, Value)| (name.to_string(), value)).collect()
}

fn guess_from_json(object: &Object) -> Option<Guess> {
    Some(Guess {
        class: object.get("class")?.as_u64()? as usize,
        label: object.get("label")?.as_str()?.into(),
        score: number(object, "score")? as f32,
    })
}

/// Puts nanoseconds in, if there are any.
pub(crate) fn insert_time(object: &mut Object, name: &str, time: Option<Duration>) {
    let nanoseconds = time.and_then(|time| u64::try_from(time.as_nanos()).ok());
    object.extend(nanoseconds.map(|ns| (name.to_string(), ns.into())));
}

fn time(object: &Object, name: &str) -> Option<Duration> {
    object.get(name)?.as_u64().map(Duration::from_nanos)
}

fn number(object: &Object, name: &str) -> Option<f64> {
    object.get(name)?.as_f64()
}

fn insert_point(object: &mut Object, name: &str, (x, y): (f64, f64)) {
    object.insert(format!("{name}-x"), x.into());
    object.insert(format!("{name}-y"), y.into());
}

fn insert_region(object: &mut Object, name: &str, Region { x, y, width, height }: Region) {
    for (side, value) in [("x", x), ("y", y), ("width", width), ("height", height)] {
        object.insert(format!("{name}-{side}"), value.into());
    }
}

fn region(object: &Object, name: &str) -> Option<Region> {
    let side = |side: &str| number(object, &format!("{name}-{side}")).map(|value| value as f32);
    Some(Region { x: side("x")?, y: side("y")?, width: side("width")?, height: side("height")? })
}

#[cfg(test)]
mod tests {
    use super::super::{Kind, fields};
    use super::*;

    fn full() -> Record {
        let place = Summary {
            peak: (1.5, 2.25),
            centroid: (3.1, 0.7),
            hot: Region { x: 0.1, y: 2.0, width: 3.3, height: 4.0 },
            roi_share: Some(0.3),
            entropy: 0.9,
        };
        let guess = |class: usize| Guess { class, label: format!("class {class}"), score: 0.384 };
        Record {
            timestamp: Some(Duration::from_nanos(1_234_567_891)),
            stream_time: Some(Duration::ZERO),
            running_time: Some(Duration::from_secs(3)),
            duration: Some(Duration::from_millis(40)),
            size: (640, 480),
            region: Some(Region { x: -80.0, y: 0.0, width: 800.0, height: 480.0 }),
            seen: vec![
                Seen { guess: guess(3), summary: Some(place.clone()) },
                Seen { guess: guess(5), summary: None },
                Seen { guess: guess(4), summary: Some(Summary { roi_share: None, ..place }) },
            ],
            best: vec![guess(7), guess(3)],
            objects: vec![
                super::super::Object {
                    id: -7,
                    bounds: Region { x: 3.0, y: 4.0, width: 50.0, height: 60.0 },
                    region: Region { x: -2.0, y: 4.0, width: 60.0, height: 60.0 },
                    seen: vec![
                        Seen { guess: guess(3), summary: Some(place.clone()) },
                        Seen { guess: guess(5), summary: None },
                    ],
                    best: vec![guess(2)],
                    inference_time: Some(Duration::from_micros(12)),
                },
                super::super::Object {
                    id: 0,
                    bounds: Region { x: 0.0, y: 0.0, width: 4.0, height: 4.0 },
                    region: Region { x: 0.0, y: 0.0, width: 4.0, height: 4.0 },
                    seen: vec![Seen { guess: guess(1), summary: None }],
                    best: Vec::new(),
                    inference_time: None,
                },
            ],
            map_age: Some(Duration::from_millis(12)),
            inference_time: Some(Duration::from_micros(7_500)),
            provider: "cpu".into(),
            annotated: true,
            reason: Some("why not".into()),
        }
    }

    #[test]
    fn a_record_comes_back_as_it_was_from_a_line_of_text() {
        for record in [full(), Record { provider: "cpu".into(), ..Record::default() }] {
            let line = serde_json::to_string(&record.to_json()).unwrap();
            assert!(!line.contains('\n'));
            let object: Object = serde_json::from_str(&line).unwrap();
            assert_eq!(Record::from_json(&object), Some(record));
        }
        assert_eq!(Record::from_json(&Object::new()), None);
    }

    #[test]
    fn a_record_has_the_fields_of_the_table_and_no_others() {
        let object = full().to_json();
        let mut have: Vec<&str> = object.keys().map(String::as_str).collect();
        let mut want: Vec<&str> = fields().map(|field| field.name).collect();
        have.sort_unstable();
        want.sort_unstable();
        assert_eq!(have, want);
        for field in fields() {
            let Kind::List(inner) = field.kind else { continue };
            for one in object[field.name].as_array().unwrap() {
                for name in one.as_object().unwrap().keys() {
                    assert!(inner.iter().any(|field| field.name == name), "{name} of {}", field.name);
                }
            }
        }
    }
}
