//! Functions of ours in SQL. Listing this folder answers "what can I call beyond the standard ones?".
//!
//! All are immutable: their answer depends on nothing but their arguments. A null argument gives null unless a
//! function says otherwise. Arguments are converted where that loses nothing, so that dictionaries are texts too.

mod list;
mod number;
mod place;
mod text;

use std::hash::{Hash, Hasher};
use std::sync::{Arc, LazyLock};

use arrow::array::ArrayRef;
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::{DataFusionError, internal_datafusion_err, plan_datafusion_err, plan_err};
use datafusion::logical_expr::{
    ColumnarValue, DocSection, Documentation, Expr, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl,
    Signature, Volatility,
};

/// Whether an answer can be null.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Nulls {
    Never,
    /// When an argument is.
    OfArguments,
    Always,
}

/// What an argument may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Argument {
    Text,
    /// A list of texts.
    Texts,
    /// A list of anything.
    List,
    Number,
    Integer,
    /// A coded set.
    Set,
}

/// One function: what it promises, and how it is computed.
#[derive(Debug)]
struct Function {
    name: &'static str,
    arguments: &'static [(&'static str, Argument)],
    returns: fn() -> DataType,
    nulls: Nulls,
    run: fn(&[ArrayRef]) -> Result<ArrayRef, DataFusionError>,
    description: &'static str,
    example: &'static str,
}

/// Everything that is registered.
const FUNCTIONS: [&Function; 9] = [
    &text::NORMALISER,
    &text::SIRET_VALIDE,
    &list::CONTIENT,
    &list::NOMBRE,
    &list::CODES,
    &list::JOINED,
    &number::PART,
    &number::ARRONDI,
    &place::DISTANCE_KM,
];

const SECTION: DocSection = DocSection { include: true, label: "Essaim", description: None };

/// All functions of ours.
pub(super) fn all() -> impl Iterator<Item = ScalarUDF> {
    FUNCTIONS.into_iter().map(|function| ScalarUDF::new_from_impl(Registered::new(function)))
}

/// The list of codes of a coded set; `codes` are all codes of its list, joined by `|`, lowest bit first.
pub(super) fn codes_of(set: Expr, codes: Expr) -> Expr {
    static FUNCTION: LazyLock<Arc<ScalarUDF>> =
        LazyLock::new(|| Arc::new(ScalarUDF::new_from_impl(Registered::new(&list::CODES))));
    FUNCTION.call(vec![set, codes])
}

/// Whether an expression is a column as the view of a coded table shows it.
pub(super) fn is_decoding(expr: &Expr) -> bool {
    match expr {
        Expr::Alias(alias) => is_decoding(&alias.expr),
        Expr::Cast(cast) => matches!(cast.expr.as_ref(), Expr::Column(_)),
        Expr::ScalarFunction(call) => {
            call.name() == list::CODES.name && matches!(call.args.as_slice(), [Expr::Column(_), Expr::Literal(..)])
        }
        expr => matches!(expr, Expr::Column(_)),
    }
}

/// `array_to_string(essaim_codes(set, codes), separator)` in one step; other expressions as they are.
pub(super) fn joined(expr: Expr) -> Expr {
    static FUNCTION: LazyLock<Arc<ScalarUDF>> =
        LazyLock::new(|| Arc::new(ScalarUDF::new_from_impl(Registered::new(&list::JOINED))));
    if let Expr::ScalarFunction(outer) = &expr
        && outer.name() == "array_to_string"
        && let [Expr::ScalarFunction(inner), separator @ Expr::Literal(..)] = outer.args.as_slice()
        && inner.name() == list::CODES.name
        && let [set, codes] = inner.args.as_slice()
    {
        return FUNCTION.call(vec![set.clone(), codes.clone(), separator.clone()]);
    }
    expr
}

/// A function as the planner knows it.
#[derive(Debug)]
struct Registered {
    function: &'static Function,
    signature: Signature,
    documentation: Documentation,
}

impl Registered {
    fn new(function: &'static Function) -> Self {
        let names = function.arguments.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
        let syntax = format!("{}({names})", function.name);
        let mut documentation =
            Documentation::builder(SECTION, function.description, syntax).with_sql_example(function.example);
        for (name, argument) in function.arguments {
            documentation = documentation.with_argument(*name, argument.in_words());
        }
        Self {
            function,
            signature: Signature::user_defined(Volatility::Immutable),
            documentation: documentation.build(),
        }
    }
}

impl PartialEq for Registered {
    fn eq(&self, other: &Self) -> bool {
        self.function.name == other.function.name
    }
}

impl Eq for Registered {}

impl Hash for Registered {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.function.name.hash(state);
    }
}

impl ScalarUDFImpl for Registered {
    fn name(&self) -> &str {
        self.function.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType, DataFusionError> {
        Ok((self.function.returns)())
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef, DataFusionError> {
        let nullable = match self.function.nulls {
            Nulls::Never => false,
            Nulls::OfArguments => args.arg_fields.iter().any(|field| field.is_nullable()),
            Nulls::Always => true,
        };
        Ok(Arc::new(Field::new(self.function.name, (self.function.returns)(), nullable)))
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>, DataFusionError> {
        let arguments = self.function.arguments;
        if types.len() != arguments.len() {
            return plan_err!("`{}` takes {} argument(s), not {}", self.function.name, arguments.len(), types.len());
        }
        let coerce = |((name, argument), given): (&(&str, Argument), &DataType)| {
            let wanted = argument.in_words();
            argument
                .accepts(given)
                .ok_or_else(|| plan_datafusion_err!("`{}` takes {wanted} as `{name}`, not {given}", self.function.name))
        };
        arguments.iter().zip(types).map(coerce).collect()
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue, DataFusionError> {
        let arrays = args.args.iter().map(|arg| arg.to_array(args.number_rows)).collect::<Result<Vec<_>, _>>()?;
        Ok(ColumnarValue::Array((self.function.run)(&arrays)?))
    }

    fn documentation(&self) -> Option<&Documentation> {
        Some(&self.documentation)
    }
}

impl Argument {
    fn in_words(self) -> &'static str {
        match self {
            Self::Text => "a text",
            Self::Texts => "a list of texts",
            Self::List => "a list",
            Self::Number => "a number",
            Self::Integer => "a whole number",
            Self::Set => "a coded set",
        }
    }

    /// The type that a value is converted to, when it can be.
    fn accepts(self, given: &DataType) -> Option<DataType> {
        if let DataType::Dictionary(_, value) = given {
            return self.accepts(value);
        }
        let is_text = |data_type: &DataType| {
            matches!(data_type, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View | DataType::Null)
        };
        match (self, given) {
            (Self::Text, given) => is_text(given).then_some(DataType::Utf8),
            (Self::Texts, DataType::List(item) | DataType::LargeList(item) | DataType::FixedSizeList(item, _)) => {
                is_text(item.data_type()).then(list::texts)
            }
            (Self::Texts | Self::List, DataType::Null) => Some(list::texts()),
            (Self::List, DataType::List(_)) => Some(given.clone()),
            (Self::List, DataType::LargeList(item) | DataType::FixedSizeList(item, _)) => {
                Some(DataType::List(Arc::clone(item)))
            }
            (Self::Number, given) => (given.is_numeric() || given.is_null()).then_some(DataType::Float64),
            (Self::Integer, given) => (given.is_integer() || given.is_null()).then_some(DataType::Int64),
            (Self::Set, given) => (given.is_integer() || given.is_null()).then_some(DataType::UInt64),
            (Self::Texts | Self::List, _) => None,
        }
    }
}

/// An argument as an array of a known kind; [`Argument::accepts`] has seen to it.
fn downcast<T: 'static>(arrays: &[ArrayRef], at: usize) -> Result<&T, DataFusionError> {
    let array = arrays.get(at).ok_or_else(|| internal_datafusion_err!("argument {at} is missing"))?;
    let found = array.data_type();
    array.as_any().downcast_ref().ok_or_else(|| internal_datafusion_err!("argument {at} is {found}"))
}

#[cfg(test)]
mod tests;
