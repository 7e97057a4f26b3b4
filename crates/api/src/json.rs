//! The JSON form of the messages, which is that of etcd's gateway: functions that the generated messages name in their serde attributes.
//!
//! 64-bit integers are strings, bytes are base64, enums are names, zero values are left out, field names are those of the `.proto` files.
//! When reading, integers and enums may also be numbers, names may be in camel case, base64 may be URL-safe or unpadded, and anything may be `null`.
//! An enum number without a name is kept and written as a number: etcd accepts such requests, and once crashed on one.
//!
//! Why not the crate `pbjson`: its code cannot write a number without a name, nor read `null` for a scalar.
//! These functions work only with self-describing formats, such as JSON and TOML.

use std::fmt;
use std::marker::PhantomData;

use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use bytes::Bytes;
use serde::de::value::StrDeserializer;
use serde::de::{
    self, DeserializeOwned, DeserializeSeed, EnumAccess, Error as _, IntoDeserializer, MapAccess, Unexpected,
    VariantAccess, Visitor,
};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Whether a field has its zero value, so that it is left out.
pub fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// Reads `null` as zero, and every other value as serde does.
pub fn nullable<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(
    deserializer: D,
) -> Result<T, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

/// A 64-bit integer, signed or not.
pub mod number {
    use super::*;

    /// Writes a string.
    pub fn serialize<T: fmt::Display, S: Serializer>(value: &T, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(value)
    }

    /// Reads a string, a number or `null`.
    pub fn deserialize<'de, T, D>(deserializer: D) -> Result<T, D::Error>
    where
        T: Default + std::str::FromStr + TryFrom<i64> + TryFrom<u64>,
        D: Deserializer<'de>,
    {
        struct Number<T>(PhantomData<T>);

        impl<T: Default + std::str::FromStr + TryFrom<i64> + TryFrom<u64>> Visitor<'_> for Number<T> {
            type Value = T;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a 64-bit integer or a string that holds one")
            }

            fn visit_i64<E: de::Error>(self, value: i64) -> Result<T, E> {
                T::try_from(value).map_err(|_| E::invalid_value(Unexpected::Signed(value), &self))
            }

            fn visit_u64<E: de::Error>(self, value: u64) -> Result<T, E> {
                T::try_from(value).map_err(|_| E::invalid_value(Unexpected::Unsigned(value), &self))
            }

            fn visit_str<E: de::Error>(self, value: &str) -> Result<T, E> {
                value.parse().map_err(|_| E::invalid_value(Unexpected::Str(value), &self))
            }

            fn visit_unit<E>(self) -> Result<T, E> {
                Ok(T::default())
            }
        }

        deserializer.deserialize_any(Number(PhantomData))
    }
}

/// A byte string.
pub mod bytes_base64 {
    use super::*;

    const LENIENT: GeneralPurposeConfig =
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    const STANDARD: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, LENIENT);
    const URL_SAFE: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, LENIENT);

    /// Decodes base64 of either alphabet, with padding or without.
    ///
    /// # Errors
    ///
    /// If the text is neither.
    pub fn decode(text: &str) -> Result<Bytes, base64::DecodeError> {
        let decoded = STANDARD.decode(text).or_else(|error| URL_SAFE.decode(text).map_err(|_| error));
        decoded.map(Bytes::from)
    }

    /// Writes base64 with padding.
    pub fn serialize<S: Serializer>(value: &Bytes, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(value))
    }

    /// Reads base64 of either alphabet, or `null`.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Bytes, D::Error> {
        struct Base64;

        impl Visitor<'_> for Base64 {
            type Value = Bytes;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a base64 string")
            }

            fn visit_str<E: de::Error>(self, value: &str) -> Result<Bytes, E> {
                decode(value).map_err(|error| E::custom(format_args!("{value:?} is not base64: {error}")))
            }

            fn visit_unit<E>(self) -> Result<Bytes, E> {
                Ok(Bytes::new())
            }
        }

        deserializer.deserialize_any(Base64)
    }
}

/// A list of byte strings.
pub mod bytes_base64_list {
    use super::*;

    #[derive(Serialize, Deserialize)]
    #[serde(transparent)]
    struct Item(#[serde(with = "bytes_base64")] Bytes);

    /// Writes a list of base64 strings.
    pub fn serialize<S: Serializer>(values: &[Bytes], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(values.iter().cloned().map(Item))
    }

    /// Reads a list of base64 strings, or `null`.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Bytes>, D::Error> {
        let items: Vec<Item> = nullable(deserializer)?;
        Ok(items.into_iter().map(|item| item.0).collect())
    }
}

/// A field that contains the number of a value of the enum `T`.
pub struct Enum<T>(i32, PhantomData<T>);

impl<T: TryFrom<i32> + Serialize + DeserializeOwned> Enum<T>
where
    i32: From<T>,
{
    /// Writes the name of the value, or its number if it has no name.
    pub fn serialize<S: Serializer>(number: &i32, serializer: S) -> Result<S::Ok, S::Error> {
        match T::try_from(*number) {
            Ok(value) => value.serialize(serializer),
            Err(_) => serializer.serialize_i32(*number),
        }
    }

    /// Reads a name, any number, or `null`.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i32, D::Error> {
        <Self as Deserialize>::deserialize(deserializer).map(|value| value.0)
    }
}

impl<'de, T: DeserializeOwned> Deserialize<'de> for Enum<T>
where
    i32: From<T>,
{
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NameOrNumber<T>(PhantomData<T>);

        impl<T: DeserializeOwned> Visitor<'_> for NameOrNumber<T>
        where
            i32: From<T>,
        {
            type Value = i32;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the name or the number of an enum value")
            }

            fn visit_i64<E: de::Error>(self, value: i64) -> Result<i32, E> {
                i32::try_from(value).map_err(|_| E::invalid_value(Unexpected::Signed(value), &self))
            }

            fn visit_u64<E: de::Error>(self, value: u64) -> Result<i32, E> {
                i32::try_from(value).map_err(|_| E::invalid_value(Unexpected::Unsigned(value), &self))
            }

            fn visit_str<E: de::Error>(self, value: &str) -> Result<i32, E> {
                let name: StrDeserializer<'_, E> = value.into_deserializer();
                T::deserialize(name).map(i32::from)
            }

            fn visit_unit<E>(self) -> Result<i32, E> {
                Ok(0)
            }
        }

        let number = deserializer.deserialize_any(NameOrNumber::<T>(PhantomData))?;
        Ok(Enum(number, PhantomData))
    }
}

/// A list of numbers of values of the enum `T`.
pub struct EnumList<T>(PhantomData<T>);

impl<T: TryFrom<i32> + Serialize + DeserializeOwned> EnumList<T>
where
    i32: From<T>,
{
    /// Writes a list, each element as [`Enum::serialize`] does.
    pub fn serialize<S: Serializer>(numbers: &[i32], serializer: S) -> Result<S::Ok, S::Error> {
        struct Item<T>(i32, PhantomData<T>);

        impl<T: TryFrom<i32> + Serialize + DeserializeOwned> Serialize for Item<T>
        where
            i32: From<T>,
        {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                Enum::<T>::serialize(&self.0, serializer)
            }
        }

        serializer.collect_seq(numbers.iter().map(|number| Item::<T>(*number, PhantomData)))
    }

    /// Reads a list, each element as [`Enum::deserialize`] does, or `null`.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<i32>, D::Error> {
        let items: Vec<Enum<T>> = nullable(deserializer)?;
        Ok(items.into_iter().map(|item| item.0).collect())
    }
}

/// Reads a oneof: at most one of several fields of the message, which serde's `flatten` passes to this function.
///
/// With serde's own `Option<T>`, an error inside the field would count as if the field were absent.
pub fn oneof<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    struct Fields<T>(PhantomData<T>);

    impl<'de, T: Deserialize<'de>> Visitor<'de> for Fields<T> {
        type Value = Option<T>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("at most one field of a oneof")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Option<T>, A::Error> {
            let mut found = None;
            while let Some(name) = map.next_key::<String>()? {
                let value = map.next_value_seed(Field { name: &name, kind: PhantomData })?;
                if value.is_some() && found.is_some() {
                    return Err(A::Error::custom(format_args!(
                        "`{name}` excludes another field that is given too"
                    )));
                }
                found = value.or(found);
            }
            Ok(found)
        }
    }

    /// Reads the value of the field `name`, which may be `null`.
    struct Field<'a, T> {
        name: &'a str,
        kind: PhantomData<T>,
    }

    impl<'de, T: Deserialize<'de>> DeserializeSeed<'de> for Field<'_, T> {
        type Value = Option<T>;

        fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Option<T>, D::Error> {
            deserializer.deserialize_option(self)
        }
    }

    impl<'de, T: Deserialize<'de>> Visitor<'de> for Field<'_, T> {
        type Value = Option<T>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a field of a oneof")
        }

        fn visit_none<E>(self) -> Result<Option<T>, E> {
            Ok(None)
        }

        fn visit_unit<E>(self) -> Result<Option<T>, E> {
            Ok(None)
        }

        fn visit_some<D: Deserializer<'de>>(self, value: D) -> Result<Option<T>, D::Error> {
            T::deserialize(Tagged { name: self.name, value }).map(Some)
        }
    }

    /// A name and a value in the form in which serde reads the variant of an enum.
    struct Tagged<'a, D> {
        name: &'a str,
        value: D,
    }

    impl<'de, D: Deserializer<'de>> Deserializer<'de> for Tagged<'_, D> {
        type Error = D::Error;

        fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
            visitor.visit_enum(self)
        }

        serde::forward_to_deserialize_any! {
            bool i8 i16 i32 i64 u8 u16 u32 u64 f32 f64 char str string bytes byte_buf option unit unit_struct
            newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
        }
    }

    impl<'de, D: Deserializer<'de>> EnumAccess<'de> for Tagged<'_, D> {
        type Error = D::Error;
        type Variant = Value<D>;

        fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Value<D>), D::Error> {
            let name: StrDeserializer<'_, D::Error> = self.name.into_deserializer();
            Ok((seed.deserialize(name)?, Value(self.value)))
        }
    }

    struct Value<D>(D);

    impl<'de, D: Deserializer<'de>> VariantAccess<'de> for Value<D> {
        type Error = D::Error;

        fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, D::Error> {
            seed.deserialize(self.0)
        }

        fn unit_variant(self) -> Result<(), D::Error> {
            unreachable!("every variant of a oneof holds a value")
        }

        fn tuple_variant<V: Visitor<'de>>(self, _: usize, _: V) -> Result<V::Value, D::Error> {
            unreachable!("every variant of a oneof holds one value")
        }

        fn struct_variant<V: Visitor<'de>>(
            self,
            _: &'static [&'static str],
            _: V,
        ) -> Result<V::Value, D::Error> {
            unreachable!("every variant of a oneof holds one value")
        }
    }

    deserializer.deserialize_map(Fields(PhantomData))
}
