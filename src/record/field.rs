//! THE TABLES of what a record holds: a row a field, with its type on the bus and what it means. The documentation is made of them.

/// One field of a structure, and of the JSON object that says the same.
#[derive(Debug, Clone, Copy)]
pub struct Field {
    /// Its name.
    pub name: &'static str,
    /// Its type.
    pub kind: Kind,
    /// What it says.
    pub meaning: &'static str,
}

/// The type of a field: in a `GstStructure`, and in JSON.
#[derive(Debug, Clone, Copy)]
pub enum Kind {
    /// Nanoseconds; where there are none `GST_CLOCK_TIME_NONE`, and nothing in JSON.
    Time,
    /// A count, 64 bits.
    Count,
    /// A size or index, 32 bits.
    Whole,
    /// A number of 32 bits that may be below zero.
    Signed,
    /// A floating-point number.
    Number,
    /// A text.
    Text,
    /// True or false.
    Flag,
    /// Structures of these fields, one after the other.
    List(&'static [Field]),
    /// Bytes; none in JSON.
    Data,
}

impl Kind {
    /// The type of its value in a `GstStructure`.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Time => "guint64 (ns)",
            Kind::Count => "guint64",
            Kind::Whole => "guint",
            Kind::Signed => "gint",
            Kind::Number => "gdouble",
            Kind::Text => "string",
            Kind::Flag => "boolean",
            Kind::List(_) => "GstValueArray of GstStructure",
            Kind::Data => "GstBuffer",
        }
    }
}

pub(crate) const fn field(name: &'static str, kind: Kind, meaning: &'static str) -> Field {
    Field { name, kind, meaning }
}

/// What is said of the frame first.
const FRAME: &[Field] = &[
    field("timestamp", Kind::Time, "the frame's timestamp"),
    field("stream-time", Kind::Time, "the same as stream time"),
    field("running-time", Kind::Time, "the same as running time"),
    field("duration", Kind::Time, "how long the frame is shown"),
    field("width", Kind::Whole, "width of the frame, in whose pixels places are told; pixel 0 reaches from 0.0 to 1.0"),
    field("height", Kind::Whole, "its height"),
];

/// What the map covers.
const COVERED: &[Field] = &[
    field(
        "region-x",
        Kind::Number,
        "left edge of the part of the frame that the map covers; it may reach beyond the frame",
    ),
    field("region-y", Kind::Number, "its upper edge"),
    field("region-width", Kind::Number, "its width"),
    field("region-height", Kind::Number, "its height"),
];

/// A class and how likely it is.
const GUESS: &[Field] = &[
    field("class", Kind::Whole, "index of the class that is explained; of several the first"),
    field("label", Kind::Text, "its name, \"class 17\" where none is known"),
    field("score", Kind::Number, "its probability, 0 to 1"),
];

/// Where the map of a class lies: absent where it has no heat in the frame.
const PLACE: &[Field] = &[
    field("peak-x", Kind::Number, "where the map is hottest"),
    field("peak-y", Kind::Number, "the same, down"),
    field("centroid-x", Kind::Number, "the centre of the heat"),
    field("centroid-y", Kind::Number, "the same, down"),
    field(
        "box-x",
        Kind::Number,
        "left edge of the box round the largest connected segment hotter than 15 % of the maximum",
    ),
    field("box-y", Kind::Number, "its upper edge"),
    field("box-width", Kind::Number, "its width"),
    field("box-height", Kind::Number, "its height"),
    field("roi-share", Kind::Number, "share of the heat in the region of interest, 0 to 1, where `roi` is set"),
    field("entropy", Kind::Number, "how spread the heat is: 0 = in one cell of the map, 1 = the same everywhere"),
];

const OTHERS: Field = field(
    "others",
    Kind::List(CLASS),
    "further classes explained, where `target-class` is a list: each with the fields from `class` to `entropy`",
);
const BEST: Field = field(
    "top-k",
    Kind::List(GUESS),
    "the `top-k` likeliest classes, the likeliest first, each with `class`, `label` and `score`",
);
const INFERENCE: Field = field("inference-time", Kind::Time, "time of the model's run that made the map");

/// What is said of the frame in the end.
const REST: &[Field] = &[
    OTHERS,
    BEST,
    field(
        "objects",
        Kind::List(OBJECT),
        "with `inference-region=roi-list`, the regions explained in place of the frame, the largest first: each with `object-*`, `region-*`, the fields from `class` to `entropy`, `others`, `top-k` and `inference-time`",
    ),
    field("map-age", Kind::Time, "how much later this frame is than the one that the map was made of"),
    INFERENCE,
    field("provider", Kind::Text, "where the model runs"),
    field("annotated", Kind::Flag, "whether the frame bears a map (painted, or with `output-mode=none` only told)"),
    field("reason", Kind::Text, "why none was"),
];

/// A class that is explained.
const CLASS: &[Field] = &concat::<{ GUESS.len() + PLACE.len() }>(GUESS, PLACE);

/// Where a region of a detector lies.
const BOUNDS: &[Field] = &[
    field("object-id", Kind::Signed, "id of the detector's region meta, 0 where it has none"),
    field("object-x", Kind::Number, "left edge of the region, cut off at the frame's edge"),
    field("object-y", Kind::Number, "its upper edge"),
    field("object-width", Kind::Number, "its width"),
    field("object-height", Kind::Number, "its height"),
];

/// What is said of a region after its first class.
const FURTHER: &[Field] = &[OTHERS, BEST, INFERENCE];

/// A region of a detector, explained.
const OBJECT: &[Field] = {
    const PLACED: &[Field] = &concat::<{ BOUNDS.len() + COVERED.len() }>(BOUNDS, COVERED);
    const SEEN: &[Field] = &concat::<{ CLASS.len() + FURTHER.len() }>(CLASS, FURTHER);
    &concat::<{ PLACED.len() + SEEN.len() }>(PLACED, SEEN)
};

/// Every field of an entry of `objects`, in the order of the documentation.
pub fn object_fields() -> impl Iterator<Item = &'static Field> {
    OBJECT.iter()
}

/// Every field of the message and the meta, in the order of the documentation.
pub fn fields() -> impl Iterator<Item = &'static Field> {
    FRAME.iter().chain(COVERED).chain(CLASS).chain(REST)
}

const fn concat<const N: usize>(first: &[Field], second: &[Field]) -> [Field; N] {
    let mut all = [first[0]; N];
    let mut i = 0;
    while i < all.len() {
        all[i] = if i < first.len() { first[i] } else { second[i - first.len()] };
        i += 1;
    }
    all
}
