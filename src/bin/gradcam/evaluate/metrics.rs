//! THE TABLE of figures: what each is called and which way is better.

/// A figure that a map gets for a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Metric {
    Deletion,
    Insertion,
    Drop,
    Increase,
    Road,
    Pointing,
    Energy,
}

/// One row a figure.
struct Row {
    metric: Metric,
    name: &'static str,
    /// As a heading.
    title: &'static str,
    higher_is_better: bool,
    /// Each picture gives a zero or a one.
    share: bool,
    /// One sentence for whoever reads the report.
    what: &'static str,
}

static TABLE: &[Row] = &[
    Row {
        metric: Metric::Deletion,
        name: "deletion",
        title: "deletion",
        higher_is_better: false,
        share: false,
        what: "Area under the class's probability while the hottest places are taken away first (RISE, Petsiuk et al. 2018). Lower \
               is better: what was hot was needed.",
    },
    Row {
        metric: Metric::Insertion,
        name: "insertion",
        title: "insertion",
        higher_is_better: true,
        share: false,
        what: "Area under the class's probability while the hottest places are given back first (RISE). Higher is better: what was \
               hot is enough.",
    },
    Row {
        metric: Metric::Drop,
        name: "drop",
        title: "average drop",
        higher_is_better: false,
        share: false,
        what: "Share of the probability that is lost when the input is multiplied by the map (Grad-CAM++, Chattopadhay et al. \
               2018). Lower is better.",
    },
    Row {
        metric: Metric::Increase,
        name: "increase",
        title: "increase",
        higher_is_better: true,
        share: true,
        what: "Share of pictures whose probability rises when the input is multiplied by the map (Grad-CAM++). Higher is better.",
    },
    Row {
        metric: Metric::Road,
        name: "road",
        title: "ROAD",
        higher_is_better: true,
        share: false,
        what: "Half the difference of the probabilities after the coldest and after the hottest 10 to 90 % were taken away and \
               filled in from their surroundings (ROAD, Rong et al. 2022). Higher is better.",
    },
    Row {
        metric: Metric::Pointing,
        name: "pointing",
        title: "pointing game",
        higher_is_better: true,
        share: true,
        what: "Share of objects with the map's peak on them (Zhang et al. 2016). Higher is better, if the objects are small: the \
               centre alone hits large ones.",
    },
    Row {
        metric: Metric::Energy,
        name: "energy",
        title: "heat in box",
        higher_is_better: true,
        share: false,
        what: "Share of the heat that lies on the object (energy pointing game, Wang et al. 2020). Higher is better; a map that \
               is the same everywhere gets the object's share of the area.",
    },
];

// Rows stand in the order of the enum, so that a figure is its own index; held at compile time.
const _: () = {
    let mut i = 0;
    while i < TABLE.len() {
        assert!(TABLE[i].metric as usize == i, "rows of TABLE must stand in the order of Metric");
        i += 1;
    }
    assert!(TABLE.len() == Metric::Energy as usize + 1, "every Metric needs a row");
};

impl Metric {
    pub fn all() -> impl ExactSizeIterator<Item = Metric> {
        TABLE.iter().map(|row| row.metric)
    }

    pub fn name(self) -> &'static str {
        TABLE[self as usize].name
    }

    pub fn title(self) -> &'static str {
        TABLE[self as usize].title
    }

    pub fn what(self) -> &'static str {
        TABLE[self as usize].what
    }

    pub fn higher_is_better(self) -> bool {
        TABLE[self as usize].higher_is_better
    }

    pub fn is_share(self) -> bool {
        TABLE[self as usize].share
    }

    /// How much better `one` is than `other`.
    pub fn gain(self, one: f64, other: f64) -> f64 {
        if self.higher_is_better() { one - other } else { other - one }
    }
}
