//! A module of WebAssembly that compresses better. Two things are done to its functions, and nothing inside them but that calls
//! follow: those that are the same byte for byte become one (a generic function for many types makes many, and the linker joins none), and those
//! that resemble each other become neighbours, because gzip looks back 32 KiB only.

use std::{
    collections::{HashMap, hash_map::Entry},
    convert::Infallible,
};

use anyhow::{Context, Result, ensure};
use wasm_encoder::{
    CodeSection, FunctionSection, Module,
    reencode::{Error, Reencode},
};
use wasmparser::{
    BinaryReader, CodeSectionReader, FunctionBody, FunctionSectionReader, OperatorsReader, Parser, Payload, TypeRef,
};

/// The same module, packed.
///
/// # Errors
/// When `wasm` is no module.
pub fn pack(wasm: Vec<u8>) -> Result<Vec<u8>> {
    let mut wasm = wasm;
    loop {
        let functions = Functions::of(&wasm).context("cannot read the module")?;
        let joined = functions.joined();
        if joined.order.len() == functions.own.len() {
            let sorted = functions.sorted()?;
            return sorted.write(&wasm);
        }
        // Who called different copies may be alike now.
        wasm = joined.write(&wasm)?;
    }
}

/// The functions of a module.
struct Functions<'a> {
    /// How many are imported; their numbers are the lowest.
    imported: usize,
    /// The type and the body of each that is defined.
    own: Vec<(u32, &'a [u8])>,
}

impl<'a> Functions<'a> {
    fn of(wasm: &'a [u8]) -> Result<Self> {
        let (mut imported, mut types, mut bodies) = (0, Vec::new(), Vec::new());
        for part in Parser::new(0).parse_all(wasm) {
            match part? {
                Payload::ImportSection(section) => {
                    for import in section.into_imports() {
                        imported += usize::from(matches!(import?.ty, TypeRef::Func(_)));
                    }
                }
                Payload::FunctionSection(section) => types = section.into_iter().collect::<Result<_, _>>()?,
                Payload::CodeSectionEntry(body) => bodies.push(body.as_bytes()),
                _ => {}
            }
        }
        ensure!(types.len() == bodies.len(), "{} functions are declared and {} are there", types.len(), bodies.len());
        Ok(Self { imported, own: types.into_iter().zip(bodies).collect() })
    }

    /// The first of each kind stays, and stands for the others.
    fn joined(&self) -> Plan {
        let (mut known, mut order, mut numbers) = (HashMap::new(), Vec::new(), self.imports());
        for (at, function) in self.own.iter().enumerate() {
            numbers.push(match known.entry(function) {
                Entry::Occupied(same) => *same.get(),
                Entry::Vacant(new) => {
                    order.push(at);
                    *new.insert(number(self.imported + order.len() - 1))
                }
            });
        }
        Plan { numbers, order }
    }

    /// By type, and by what they do whatever they do it with.
    fn sorted(&self) -> Result<Plan> {
        let skeletons: Vec<Vec<u8>> = self.own.iter().map(|(_, body)| opcodes(body)).collect::<Result<_>>()?;
        let mut order: Vec<usize> = (0..self.own.len()).collect();
        order.sort_by_key(|at| (self.own[*at].0, &skeletons[*at], self.own[*at].1));
        let mut numbers = self.imports();
        numbers.resize(self.imported + order.len(), 0);
        for (new, old) in order.iter().enumerate() {
            numbers[self.imported + old] = number(self.imported + new);
        }
        Ok(Plan { numbers, order })
    }

    fn imports(&self) -> Vec<u32> {
        (0..self.imported).map(number).collect()
    }
}

/// The first byte of each instruction.
fn opcodes(body: &[u8]) -> Result<Vec<u8>> {
    let mut operators: OperatorsReader<'_> = FunctionBody::new(BinaryReader::new(body, 0)).get_operators_reader()?;
    let mut opcodes = Vec::new();
    while !operators.eof() {
        let (_, offset) = operators.read_with_offset()?;
        opcodes.push(body[offset]);
    }
    Ok(opcodes)
}

/// A function's number in the module.
fn number(index: usize) -> u32 {
    // A module has less than 2^32 functions by its format.
    u32::try_from(index).unwrap_or(u32::MAX)
}

/// Which functions stay, and where.
struct Plan {
    /// The new number of each function.
    numbers: Vec<u32>,
    /// The defined functions that stay, in the order in which they stand then.
    order: Vec<usize>,
}

impl Plan {
    fn write(mut self, wasm: &[u8]) -> Result<Vec<u8>> {
        let mut module = Module::new();
        self.parse_core_module(&mut module, Parser::new(0), wasm).context("cannot write the module")?;
        Ok(module.finish())
    }
}

impl Reencode for Plan {
    type Error = Infallible;

    fn function_index(&mut self, function: u32) -> Result<u32, Error<Infallible>> {
        Ok(self.numbers[function as usize])
    }

    fn parse_function_section(
        &mut self,
        functions: &mut FunctionSection,
        section: FunctionSectionReader<'_>,
    ) -> Result<(), Error<Infallible>> {
        let types: Vec<u32> = section.into_iter().collect::<Result<_, _>>()?;
        for at in &self.order {
            functions.function(types[*at]);
        }
        Ok(())
    }

    fn parse_code_section(
        &mut self,
        code: &mut CodeSection,
        section: CodeSectionReader<'_>,
    ) -> Result<(), Error<Infallible>> {
        let bodies: Vec<FunctionBody<'_>> = section.into_iter().collect::<Result<_, _>>()?;
        for at in self.order.clone() {
            self.parse_function_body(code, bodies[at].clone())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use wasm_encoder::{
        ConstExpr, ElementSection, Elements, EntityType, ExportKind, ExportSection, Function, ImportSection, RefType,
        TableSection, TableType, TypeSection, ValType,
    };

    use super::*;

    /// One imported function, and: two that call it, two that call one of those each, one that adds one.
    fn module() -> Vec<u8> {
        let mut module = Module::new();
        let mut types = TypeSection::new();
        types.ty().function([], []);
        types.ty().function([ValType::I32], [ValType::I32]);
        module.section(&types);
        module.section(ImportSection::new().import("host", "told", EntityType::Function(0)));
        let mut functions = FunctionSection::new();
        for ty in [1, 0, 0, 0, 0] {
            functions.function(ty);
        }
        module.section(&functions);
        let table =
            TableType { element_type: RefType::FUNCREF, minimum: 2, maximum: Some(2), table64: false, shared: false };
        module.section(TableSection::new().table(table));
        let mut exports = ExportSection::new();
        for (name, function) in [("add", 1), ("first", 4), ("second", 5)] {
            exports.export(name, ExportKind::Func, function);
        }
        module.section(&exports);
        let table = Elements::Functions(vec![3, 1].into());
        module.section(ElementSection::new().active(None, &ConstExpr::i32_const(0), table));
        let mut code = CodeSection::new();
        let mut add = Function::new([]);
        add.instructions().local_get(0).i32_const(1).i32_add().end();
        code.function(&add);
        for called in [0, 0, 2, 3] {
            let mut call = Function::new([]);
            call.instructions().call(called).end();
            code.function(&call);
        }
        module.section(&code);
        module.finish()
    }

    #[test]
    fn copies_are_joined_and_everybody_finds_who_is_left() {
        let wasm = pack(module()).unwrap();
        let functions = Functions::of(&wasm).unwrap();
        let types: Vec<u32> = functions.own.iter().map(|(ty, _)| *ty).collect();
        assert_eq!(types, [0, 0, 1], "two calls of different copies became one, and stand by their types");
        let (mut exports, mut table) = (Vec::new(), Vec::new());
        for part in Parser::new(0).parse_all(&wasm) {
            match part.unwrap() {
                Payload::ExportSection(section) => {
                    exports =
                        section.into_iter().map(|export| export.map(|one| (one.name, one.index)).unwrap()).collect();
                }
                Payload::ElementSection(section) => {
                    for element in section {
                        if let wasmparser::ElementItems::Functions(items) = element.unwrap().items {
                            table = items.into_iter().map(Result::unwrap).collect();
                        }
                    }
                }
                _ => {}
            }
        }
        let call = |number: u32| functions.own[number as usize - 1].1[2];
        let [("add", 3), ("first", first), ("second", second)] = exports[..] else { panic!("{exports:?}") };
        assert_eq!(first, second);
        assert_eq!(table[1], 3);
        assert_eq!((call(table[0]), u32::from(call(first))), (0, table[0]), "one calls the host, the other calls it");
        assert_eq!(pack(wasm.clone()).unwrap(), wasm, "there is nothing left to do");
    }

    #[test]
    fn what_is_no_module_is_refused() {
        assert!(pack(b"<html>".to_vec()).is_err());
    }
}
