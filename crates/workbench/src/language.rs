//! The languages a person may read, and text that exists in each of them.

/// A language of the texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Language {
    /// English.
    #[default]
    English,
    /// Simplified Chinese.
    Chinese,
}

impl Language {
    /// The language with this short name: `en` or `zh`.
    pub fn from_name(name: &str) -> Option<Language> {
        match name {
            "en" => Some(Language::English),
            "zh" => Some(Language::Chinese),
            _ => None,
        }
    }

    /// The language of a locale such as `zh_CN.UTF-8`; English where it is neither.
    pub fn of_locale(locale: &str) -> Language {
        if locale.to_ascii_lowercase().starts_with("zh") { Language::Chinese } else { Language::English }
    }
}

/// One text in every language. A text that lacks one cannot be written down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Text {
    /// English.
    pub en: &'static str,
    /// Simplified Chinese.
    pub zh: &'static str,
}

impl Text {
    /// The text in `language`.
    pub const fn in_language(&self, language: Language) -> &'static str {
        match language {
            Language::English => self.en,
            Language::Chinese => self.zh,
        }
    }
}

/// Shorthand of the text tables.
pub(crate) const fn text(en: &'static str, zh: &'static str) -> Text {
    Text { en, zh }
}

/// A sentence with values in it, in the language asked for.
macro_rules! say {
    ($language:expr, $en:literal, $zh:literal $(,)?) => {
        match $language {
            $crate::Language::English => format!($en),
            $crate::Language::Chinese => format!($zh),
        }
    };
}
pub(crate) use say;
