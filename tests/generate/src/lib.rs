//! Generates `crates/api/src/gen/` from `crates/api/proto/`.
//!
//! This is a separate crate and not a default member, because the compiler of `proto/` takes half a minute to build
//! and only changes of `proto/` need it. `.ci/run` tests that the committed files are what it generates.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use protox::prost_reflect::prost_types::field_descriptor_proto::{Label, Type};
use protox::prost_reflect::prost_types::{DescriptorProto, FieldDescriptorProto, FileDescriptorSet};

/// The files of a folder: names and contents.
pub fn contents(directory: &Path) -> BTreeMap<String, String> {
    let files = fs::read_dir(directory).expect("the directory of generated files");
    files
        .map(|file| file.expect("a file").path())
        .map(|path| {
            (
                path.file_name().unwrap().to_string_lossy().into_owned(),
                fs::read_to_string(&path).expect("text"),
            )
        })
        .collect()
}

/// Compiles the files in `proto` and writes the result into the folder `out`.
pub fn generate(proto: &Path, out: &Path) {
    let mut names: Vec<_> =
        fs::read_dir(proto).expect("proto/").map(|file| file.expect("a file").file_name()).collect();
    names.sort();
    let mut files =
        protox::compile(names, [proto]).unwrap_or_else(|error| panic!("proto/ does not compile: {error:?}"));

    let mut config = prost_build::Config::new();
    config.out_dir(out).bytes(["."]).btree_map(["."]);
    add_serde(&mut config, &mut files);
    config.compile_fds(files).expect("prost accepts the files");

    // prost derives Eq and Hash, but not for messages that repeat or nest. Here that is safe: `with` refuses floats.
    for (name, text) in contents(out) {
        let text =
            text.replace("derive(Clone, PartialEq, ::prost", "derive(Clone, PartialEq, Eq, Hash, ::prost");
        fs::write(out.join(name), text).expect("a file is rewritten");
    }
}

/// Derives serde in the form of `src/json.rs`, and fixes names that prost would split wrongly ("peerURLs" to `peer_ur_ls`).
fn add_serde(config: &mut prost_build::Config, files: &mut FileDescriptorSet) {
    config.enum_attribute(".", "#[derive(serde::Serialize, serde::Deserialize)]");
    config.message_attribute(".", "#[derive(serde::Serialize, serde::Deserialize)]");
    for file in &mut files.file {
        let package = file.package().to_string();
        for enumeration in &file.enum_type {
            let path = format!(".{package}.{}", enumeration.name());
            enumeration.value.iter().for_each(|value| rename(config, &path, value.name()));
        }
        for message in &mut file.message_type {
            add_serde_to_message(config, &package, message);
        }
    }
}

fn add_serde_to_message(config: &mut prost_build::Config, package: &str, message: &mut DescriptorProto) {
    assert!(message.nested_type.is_empty(), "{}: nested messages and maps are not handled", message.name());
    let path = format!(".{package}.{}", message.name());
    for enumeration in &message.enum_type {
        let path = format!("{path}.{}", enumeration.name());
        enumeration.value.iter().for_each(|value| rename(config, &path, value.name()));
    }
    // serde cannot refuse unknown fields together with `flatten`; there the oneof refuses them.
    let strict = if message.oneof_decl.is_empty() { ", deny_unknown_fields" } else { "" };
    config.message_attribute(&path, format!("#[serde(default{strict})]"));

    for oneof in &message.oneof_decl {
        // Without the leading dot the path means only the field, not its variants.
        let field = format!("{}.{}", &path[1..], oneof.name());
        config.field_attribute(field, r#"#[serde(flatten, deserialize_with = "crate::json::oneof", skip_serializing_if = "Option::is_none")]"#);
    }
    for field in &mut message.field {
        let mut attributes = Vec::new();
        let name = field.name().to_string();
        let rust_name = name.replace("URLs", "_urls");
        let parent = match field.oneof_index {
            Some(index) => {
                attributes.push(format!("rename = {name:?}"));
                format!("{path}.{}", message.oneof_decl[index as usize].name())
            }
            None => {
                if name.contains(char::is_uppercase) {
                    attributes.push(format!("rename = {name:?}"));
                }
                path.clone()
            }
        };
        if field.json_name() != name {
            attributes.push(format!("alias = {:?}", field.json_name()));
        }
        match (with(field), field.oneof_index) {
            (Some(with), _) => attributes.push(format!("with = {with:?}")),
            (None, None) => attributes.push(r#"deserialize_with = "crate::json::nullable""#.to_string()),
            (None, Some(_)) => {}
        }
        if field.oneof_index.is_none() {
            attributes.push(r#"skip_serializing_if = "crate::json::is_default""#.to_string());
        }
        config
            .field_attribute(format!("{parent}.{rust_name}"), format!("#[serde({})]", attributes.join(", ")));
        field.name = Some(rust_name);
    }
}

fn rename(config: &mut prost_build::Config, path: &str, name: &str) {
    config.field_attribute(format!("{path}.{name}"), format!("#[serde(rename = {name:?})]"));
}

/// The functions of `src/json.rs` for a field whose JSON form differs from serde's form of its Rust type.
fn with(field: &FieldDescriptorProto) -> Option<String> {
    let list = field.label() == Label::Repeated;
    match field.r#type() {
        Type::Int64 | Type::Uint64 => {
            assert!(!list, "{}: lists of integers are not handled", field.name());
            Some("crate::json::number".to_string())
        }
        Type::Bytes => Some(format!("crate::json::bytes_base64{}", if list { "_list" } else { "" })),
        Type::Enum => Some(format!(
            "crate::json::Enum{}::<crate{}>",
            if list { "List" } else { "" },
            rust_path(field.type_name())
        )),
        Type::Bool | Type::Int32 | Type::Uint32 | Type::String | Type::Message => None,
        other => panic!("{}: {other:?} is not handled", field.name()),
    }
}

/// ".etcdserverpb.RangeRequest.SortOrder" to "::etcdserverpb::range_request::SortOrder".
fn rust_path(proto_path: &str) -> String {
    let (modules, name) = proto_path.rsplit_once('.').expect("a path");
    let mut path = String::new();
    for module in modules.split('.').filter(|module| !module.is_empty()) {
        path.push_str("::");
        for (index, letter) in module.char_indices() {
            if letter.is_uppercase() && index > 0 {
                path.push('_');
            }
            path.extend(letter.to_lowercase());
        }
    }
    format!("{path}::{name}")
}
