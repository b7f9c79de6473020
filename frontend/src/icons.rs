//! Drawings of 16 × 16, as SVG path data with a stroke and no fill. The canvas and the document share them.

/// A drawing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each name says what is drawn")]
pub enum Icon {
    Alert,
    ArrowRight,
    Audit,
    Breaker,
    Check,
    Chevron,
    Clock,
    Close,
    Configuration,
    Copy,
    Fault,
    Fit,
    Graph,
    Hide,
    Info,
    List,
    Lock,
    Mesh,
    Minus,
    More,
    NoProxy,
    Pause,
    Person,
    Play,
    Plus,
    Search,
    Split,
    StepBack,
    StepOn,
    Terminal,
    Theme,
    Tidy,
    Traces,
    Unlock,
    Workloads,
}

impl Icon {
    /// The path data.
    pub fn path(self) -> &'static str {
        match self {
            Self::Alert => "M8 3.2v6M8 12v.8",
            Self::ArrowRight => "M2.5 8h10M8.5 4l4 4l-4 4",
            Self::Audit => "M3 2.5h10v11H3zM5.5 5.5h5M5.5 8h5M5.5 10.5h3",
            Self::Breaker => "M1.5 9.5H5l5-5M11 9.5h3.5M10.5 9.5v-.1",
            Self::Check => "M3 8.5l3.2 3.2L13 4.5",
            Self::Chevron => "M4.5 6.5L8 10l3.5-3.5",
            Self::Clock => "M8 2a6 6 0 1 0 0 12a6 6 0 1 0 0-12M8 4.8V8l2.4 1.6",
            Self::Close => "M4 4l8 8M12 4l-8 8",
            Self::Configuration => "M4 1.8h5.2L12.5 5v9.2H4zM9.2 1.8V5h3.3M6 8h4.5M6 11h4.5",
            Self::Copy => "M5.5 5.5h8v8h-8zM10.5 5.5v-3h-8v8h3",
            Self::Fault => "M9 1.8L4 9h3.6L7 14.2L12 7H8.4z",
            Self::Fit => "M2.5 6V2.5H6M10 2.5h3.5V6M13.5 10v3.5H10M6 13.5H2.5V10",
            Self::Graph => "M1.5 6h4v4h-4zM10.5 2h4v4h-4zM10.5 10h4v4h-4zM5.5 8H8V4h2.5M8 8v4h2.5",
            Self::Hide => "M1.5 8C3 5.4 5.3 4 8 4s5 1.4 6.5 4c-1.5 2.6-3.8 4-6.5 4S3 10.6 1.5 8zM2.5 13.5l11-11",
            Self::Info => "M8 2a6 6 0 1 0 0 12a6 6 0 1 0 0-12M8 7.4v3.8M8 4.8v.4",
            Self::List => "M5.5 4h8M5.5 8h8M5.5 12h8M2.4 4h.6M2.4 8h.6M2.4 12h.6",
            Self::Lock => "M4 7.5h8v6H4zM5.8 7.5V5a2.2 2.2 0 0 1 4.4 0v2.5",
            Self::Mesh => "M8 1.8l5.4 3.1v6.2L8 14.2l-5.4-3.1V4.9zM8 8V1.8M8 8l5.4 3.1M8 8l-5.4 3.1",
            Self::More => "M2.6 8H4M7.3 8h1.4M12 8h1.4",
            Self::Minus => "M3.5 8h9",
            Self::NoProxy => "M8 1.8l5 1.8v4c0 3.2-2.2 5.4-5 6.6c-2.8-1.2-5-3.4-5-6.6v-4zM2.5 14L13.5 2",
            Self::Pause => "M5.5 3.5v9M10.5 3.5v9",
            Self::Person => "M8 2.5a2.6 2.6 0 1 0 0 5.2a2.6 2.6 0 1 0 0-5.2M3 13.5c.4-3 2.4-4.2 5-4.2s4.6 1.2 5 4.2",
            Self::Play => "M5 3l7.5 5L5 13z",
            Self::Plus => "M8 3.5v9M3.5 8h9",
            Self::Search => "M7 2.5a4.5 4.5 0 1 0 0 9a4.5 4.5 0 1 0 0-9M10.4 10.4L14 14",
            Self::Split => "M1.5 8h4l4-4H14M5.5 8l4 4H14",
            Self::StepBack => "M11.5 3.5L5 8l6.5 4.5zM3.5 3.5v9",
            Self::StepOn => "M4.5 3.5L11 8l-6.5 4.5zM12.5 3.5v9",
            Self::Terminal => "M1.8 3h12.4v10H1.8zM4.5 6l2 2l-2 2M8.5 10.2h3",
            Self::Theme => "M8 2.5a5.5 5.5 0 1 0 0 11a5.5 5.5 0 1 0 0-11M8 2.5v11M8 5h3.8M8 8h5.4M8 11h3.8",
            Self::Tidy => "M2 3.5h4v3H2zM2 9.5h4v3H2zM10 6.5h4v3h-4zM6 5h2v6H6M8 8h2",
            Self::Traces => "M2 3.5h6M5 8h6M9 12.5h5",
            Self::Workloads => "M2 2.5h5v5H2zM9 2.5h5v5H9zM2 9.5h5v4H2zM9 9.5h5v4H9z",
            Self::Unlock => "M2.5 7.5h8v6h-8zM8.6 7.5V4.6a2.2 2.2 0 0 1 4.4 0V6M7 7.5l-1.2 2.2h1.6L6.2 13.5",
        }
    }

    /// The drawing for a badge of a node.
    pub fn badge(kind: &str) -> Self {
        match kind {
            "canary" => Self::Split,
            "fault" => Self::Fault,
            "circuit-breaker" => Self::Breaker,
            "missing-sidecar" => Self::NoProxy,
            "lint" => Self::Alert,
            "more" => Self::More,
            _ => Self::Info,
        }
    }
}
