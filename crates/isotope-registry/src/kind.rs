//! What artifacts there are. Each has media types of its own, so that none can stand for another.

/// What an artifact is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// What steps of a build have left.
    Layer,
    /// The outputs of a build.
    Image,
    /// The commit of a compose.
    Compose,
}

impl Kind {
    /// The artifact's type.
    #[must_use]
    pub const fn artifact_type(self) -> &'static str {
        match self {
            Self::Layer => "application/vnd.isotope.layer.v1",
            Self::Image => "application/vnd.isotope.image.v1",
            Self::Compose => "application/vnd.isotope.compose.v1",
        }
    }

    /// The media type of its description.
    pub(crate) const fn description_type(self) -> &'static str {
        match self {
            Self::Layer => "application/vnd.isotope.layer.config.v1+json",
            Self::Image => "application/vnd.isotope.image.config.v1+json",
            Self::Compose => "application/vnd.isotope.compose.config.v1+json",
        }
    }

    /// What people call it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Layer => "layer",
            Self::Image => "image",
            Self::Compose => "compose",
        }
    }

    /// The version of its description.
    pub(crate) const fn format(self) -> u32 {
        match self {
            Self::Layer => isotope_cache::FORMAT,
            Self::Image | Self::Compose => 1,
        }
    }
}
