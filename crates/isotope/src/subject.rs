//! What `build`, `plan` and their like act on: a recipe or a list of elements, settled into a plan.
//!
//! In: the command line's words. Out: [`Subject`], or every error of recipe, elements and plan at once with its exit class.

use crate::context::Context;
use crate::dib::disk_image_create::{python, without_unused};
use crate::exit::{Class, Failure};
use isotope_element::dib::{self, DibElement, HookTree};
use isotope_element::mixed::{self, Mixed};
use isotope_element::{Catalogue, Diagnostic};
use isotope_plan::dib::Beside;
use isotope_plan::recipe::Recipe;
use isotope_plan::{HostFacts, Plan, Problem, ProblemClass};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The words that say what is to be built.
#[derive(Debug, Clone, clap::Args)]
#[group(id = "subject")]
pub struct Args {
    /// A recipe (its name in recipes/, or a file), or elements, or a recipe and more elements
    #[arg(value_name = "RECIPE|ELEMENT", required_unless_present = "recipe")]
    names: Vec<String>,
    /// The recipe's file
    #[arg(long, value_name = "FILE")]
    recipe: Option<PathBuf>,
    /// The image's name; outputs are NAME.EXT [default: the recipe's]
    #[arg(short = 'o', long, value_name = "NAME")]
    name: Option<String>,
    /// Formats: raw, qcow2, vmdk, vhd, vhdx, vdi, tar, squashfs [default: the recipe's, else qcow2]
    #[arg(short = 't', long = "format", value_name = "FORMAT", value_delimiter = ',')]
    formats: Vec<String>,
    /// Set a variable; wins over the recipe and the environment
    #[arg(long = "set", value_name = "ELEMENT.VAR=VALUE")]
    set: Vec<String>,
    /// Size of the disk [default: the recipe's, else the layout's]
    #[arg(long, value_name = "SIZE")]
    size: Option<String>,
}

impl Args {
    /// These names, or this file, with these values.
    pub fn of(names: &[String], recipe: Option<&Path>, set: &[String]) -> Self {
        let (name, formats, size) = (None, Vec::new(), None);
        Self { names: names.to_vec(), recipe: recipe.map(Path::to_owned), name, formats, set: set.to_vec(), size }
    }
}

/// A settled subject.
pub struct Subject {
    /// What would be done.
    pub plan: Plan,
    /// The host it was planned for.
    pub facts: HostFacts,
    /// The recipe's file, if there is one.
    pub recipe: Option<PathBuf>,
}

/// Settles the subject.
pub fn settle(args: &Args, ctx: &Context) -> anyhow::Result<Subject> {
    let catalogue = catalogue(ctx)?;
    let recipe = recipe(args, &catalogue, ctx)?;
    let mut facts = isotope_build::facts::gather(&ctx.env, &ctx.cache_dir);
    let plan = plan(&recipe, &catalogue, &facts, ctx).map_err(|refusal| match refusal {
        Refusal::Elements(found) => {
            let text: Vec<String> = found.iter().map(ToString::to_string).collect();
            Failure::new(Class::Configuration, text.join("\n")).into()
        }
        Refusal::Plan(found) => problems(&found),
    })?;
    // Key files may lie anywhere.
    let keyrings = isotope_plan::needed_keyrings(&plan).into_keys().filter(|keyring| keyring.is_file());
    facts.keyrings.extend(keyrings.map(Path::to_owned));
    Ok(Subject { plan, facts, recipe: recipe.file })
}

/// Why there is no plan.
pub enum Refusal {
    /// Its elements do not belong together.
    Elements(Vec<Diagnostic>),
    /// They do, and something else stands against it.
    Plan(Vec<Problem>),
}

/// The plan of a recipe, whose elements may be of both formats.
pub fn plan(recipe: &Recipe, catalogue: &Catalogue, facts: &HostFacts, ctx: &Context) -> Result<Plan, Refusal> {
    let path = ctx.dib_path(None);
    let Mixed { set, beside } = mixed::resolve(catalogue, || dib::load(&path), &recipe.element_names())
        .map_err(|errors| Refusal::Elements(errors.errors))?;
    let Some(beside) = beside else {
        return isotope_plan::plan(recipe, &set, None, facts).map_err(|errors| Refusal::Plan(errors.problems));
    };
    let tree = HookTree::merge(&beside.set).map_err(|error| Refusal::Elements(error.diagnostics()))?;
    let binary = std::env::current_exe().ok();
    let directory = std::env::current_dir().unwrap_or_else(|_| PathBuf::from("/"));
    let beside = Beside {
        path: &without_unused(path, ctx.dib_elements.as_deref(), &beside.set),
        catalogue: &beside.catalogue,
        set: &beside.set,
        tree: &tree,
        environment: &ctx.env,
        directory: &directory,
        binary: binary.as_ref(),
        python: &python(&ctx.env),
    };
    isotope_plan::plan(recipe, &set, Some(&beside), facts).map_err(|errors| Refusal::Plan(errors.problems))
}

/// All elements of the search path.
pub fn catalogue(ctx: &Context) -> anyhow::Result<Catalogue> {
    let catalogue = isotope_element::load(&ctx.elements_path).map_err(|errors| {
        let text: Vec<String> = errors.iter().map(ToString::to_string).collect();
        Failure::new(Class::Configuration, text.join("\n\n"))
    })?;
    Ok(catalogue)
}

/// Elements of the search path in diskimage-builder's format. In recipes an element of ours with the same name is meant.
pub fn dib_elements(ctx: &Context) -> anyhow::Result<BTreeMap<String, DibElement>> {
    let path = ctx.dib_path(None);
    let catalogue =
        isotope_element::dib::load(&path).map_err(|error| Failure::new(Class::Configuration, error.to_string()))?;
    let known = |dir: &Path| isotope_element::dib::looks_like(dir) || dir.join("README.rst").is_file();
    let mut elements = catalogue.elements;
    elements.retain(|_, element| known(&element.dir));
    Ok(elements)
}

fn recipe(args: &Args, catalogue: &Catalogue, ctx: &Context) -> anyhow::Result<Recipe> {
    let mut names = args.names.as_slice();
    let mut recipe = if let Some(file) = &args.recipe {
        Some(read(file)?)
    } else if let Some((first, rest)) = names.split_first() {
        let found = recipe_file(first, catalogue, ctx);
        if found.is_some() {
            names = rest;
        }
        found.map(|file| read(&file)).transpose()?
    } else {
        None
    };
    let extra = Recipe::anonymous(args.name.as_deref().unwrap_or("image"), names);
    match &mut recipe {
        Some(recipe) => recipe.elements.extend(extra.elements),
        None => recipe = Some(extra),
    }
    let mut recipe = recipe.unwrap_or_else(|| Recipe::anonymous("image", &[] as &[&str]));
    if let Some(name) = &args.name {
        recipe.name.clone_from(name);
    }
    let mut found: Vec<Problem> = args.set.iter().filter_map(|argument| recipe.set(argument).err()).collect();
    if !args.formats.is_empty() {
        found.extend(recipe.set_formats(&args.formats).err().into_iter().flatten());
    }
    found.extend(args.size.as_deref().and_then(|size| recipe.set_size(size).err()));
    if found.is_empty() { Ok(recipe) } else { Err(problems(&found)) }
}

/// The file that a word names, if it names a recipe: a path with a slash or `.toml`, or a name in recipes/. Where an element has the same
/// name, the recipe is meant if that element is part of it.
fn recipe_file(word: &str, catalogue: &Catalogue, ctx: &Context) -> Option<PathBuf> {
    if word.contains('/') || word.ends_with(".toml") {
        return Some(PathBuf::from(word));
    }
    let shipped = ctx.recipes_dir.join(format!("{word}.toml"));
    if !catalogue.elements.contains_key(word) {
        return shipped.is_file().then_some(shipped);
    }
    let text = std::fs::read_to_string(&shipped).ok()?;
    let recipe = Recipe::parse(&shipped, &text).ok()?;
    recipe.elements.iter().any(|element| element.name == word).then_some(shipped)
}

fn read(file: &Path) -> anyhow::Result<Recipe> {
    let text = std::fs::read_to_string(file).map_err(|error| {
        Failure::new(Class::Usage, format!("cannot read the recipe {}: {error}", file.display()))
            .hint("name a file, a recipe of recipes/, or elements (`isotope elements list`)")
    })?;
    Ok(Recipe::parse(file, &text).map_err(|errors| Failure::new(Class::Configuration, errors.to_string()))?)
}

/// One failure for all problems.
pub fn problems(problems: &[Problem]) -> anyhow::Error {
    let class = match problems.iter().map(|problem| problem.class).min() {
        Some(ProblemClass::Usage) => Class::Usage,
        Some(ProblemClass::Environment) => Class::Environment,
        _ => Class::Configuration,
    };
    let text: Vec<String> = problems.iter().map(ToString::to_string).collect();
    Failure::new(class, text.join("\nerror: ")).into()
}

/// Refuses what this host cannot build, with every reason, before anything is done.
pub fn preflight(plan: &Plan, facts: &HostFacts, output_dir: &Path, ctx: &Context) -> anyhow::Result<()> {
    let mut facts = facts.clone();
    facts.output_space = isotope_build::facts::free_space(output_dir);
    facts.work_space = isotope_build::facts::free_space(&ctx.cache_dir);
    let found = isotope_plan::preflight(plan, &facts);
    if found.is_empty() { Ok(()) } else { Err(problems(&found)) }
}
