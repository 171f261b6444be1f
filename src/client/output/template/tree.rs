//! A parsed template, rewritten so that it means what it means to Docker's client.
//!
//! gotmpl knows maps only. So a field becomes a call of a function of ours that knows Docker's types, `.Label "key"`
//! another, and what is printed goes through a third. Their names cannot be typed.

use super::names::{FIELD, KNOWN, LABEL, SHOW};
use gotmpl::parse::{CommandNode, DefineNode, Expr, ListNode, Node, Parser, PipeNode, Pos, SmolStr};
use gotmpl::{FuncMap, TemplateError};
use std::collections::BTreeSet;

/// The whole template, among those that it defines.
pub(super) const NAME: &str = ".whole";

/// Put behind a template: gotmpl ends at an `{{end}}` too many, and takes the end of the text for one too few.
const LAST: &str = "{{`end of the template`}}";

/// What `\n` and `\t` are in a template's text. `.Label "key"` is known where they are spelt: in lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Breaks {
    /// A newline and a tab.
    Spelt,
    /// What is written there.
    Literal,
}

#[derive(Debug, Clone)]
pub(super) struct Tree {
    body: ListNode,
    defines: Vec<DefineNode>,
    /// The fields of the whole that it asks for; none if it may be all of them.
    fields: Option<BTreeSet<String>>,
}

impl Tree {
    pub(super) fn parse(template: &str, breaks: Breaks) -> Result<Self, TemplateError> {
        // By itself first: what is wrong with it is not to be found in what is put behind it.
        Parser::new(template, "{{", "}}")?;
        let source = format!("{template}{LAST}");
        let (mut body, mut defines) = Parser::new(&source, "{{", "}}")?.parse()?;
        let last = body.nodes.pop();
        if !matches!(last, Some(Node::Action(action)) if action.pos.offset >= template.len()) {
            return Err(fault("there is an {{end}} too many or too few"));
        }
        let mut rewriter = Rewriter { breaks, fields: Some(BTreeSet::new()), is_root: true };
        rewriter.list(&mut body)?;
        for define in &mut defines {
            rewriter.fields = None;
            rewriter.list(&mut define.body)?;
        }
        Ok(Self { body, defines, fields: rewriter.fields })
    }

    pub(super) fn template(&self, functions: FuncMap) -> gotmpl::Template {
        let template = gotmpl::Template::new("").funcs(functions);
        let template = template.add_parse_tree(NAME, self.body.clone());
        self.defines
            .iter()
            .fold(template, |template, define| template.add_parse_tree(&define.name, define.body.clone()))
    }

    pub(super) fn mentions(&self, field: &str) -> bool {
        self.fields.as_ref().is_none_or(|fields| fields.contains(field))
    }
}

fn fault(message: impl Into<String>) -> TemplateError {
    TemplateError::Exec(message.into())
}

struct Rewriter {
    breaks: Breaks,
    fields: Option<BTreeSet<String>>,
    /// Whether the dot is the whole.
    is_root: bool,
}

impl Rewriter {
    fn list(&mut self, list: &mut ListNode) -> Result<(), TemplateError> {
        list.nodes.iter_mut().try_for_each(|node| self.node(node))
    }

    fn node(&mut self, node: &mut Node) -> Result<(), TemplateError> {
        match node {
            Node::List(list) => self.list(list),
            Node::Text(part) => {
                if self.breaks == Breaks::Spelt {
                    part.text = part.text.replace("\\t", "\t").replace("\\n", "\n").into();
                }
                Ok(())
            }
            Node::Action(action) => {
                self.pipe(&mut action.pipe)?;
                if action.pipe.decl.is_empty() {
                    action.pipe.commands.push(call(action.pos, SHOW, []));
                }
                Ok(())
            }
            Node::If(branch) => {
                self.pipe(&mut branch.pipe)?;
                self.list(&mut branch.body)?;
                branch.else_body.as_mut().map_or(Ok(()), |other| self.list(other))
            }
            Node::Range(branch) | Node::With(branch) => {
                self.pipe(&mut branch.pipe)?;
                let before = std::mem::replace(&mut self.is_root, false);
                self.list(&mut branch.body)?;
                self.is_root = before;
                branch.else_body.as_mut().map_or(Ok(()), |other| self.list(other))
            }
            Node::Template(called) => called.pipe.as_mut().map_or(Ok(()), |pipe| self.pipe(pipe)),
            Node::Define(define) => self.list(&mut define.body),
            Node::Break(_) | Node::Continue(_) => Ok(()),
        }
    }

    fn pipe(&mut self, pipe: &mut PipeNode) -> Result<(), TemplateError> {
        pipe.commands.iter_mut().enumerate().try_for_each(|(at, command)| self.command(command, at > 0))
    }

    fn command(&mut self, command: &mut CommandNode, is_piped: bool) -> Result<(), TemplateError> {
        let is_call = is_piped || command.args.len() > 1;
        if let Some(first) = command.args.first_mut()
            && is_call
            && self.breaks == Breaks::Spelt
            && is_label(first)
        {
            *first = Expr::Identifier(first.pos(), LABEL.into());
            return command.args.iter_mut().skip(1).try_for_each(|arg| self.expr(arg));
        }
        if is_call && matches!(command.args.first(), Some(Expr::Field(..) | Expr::Variable(..))) {
            return Err(fault("a field takes no argument"));
        }
        command.args.iter_mut().try_for_each(|arg| self.expr(arg))
    }

    fn expr(&mut self, expr: &mut Expr) -> Result<(), TemplateError> {
        let (base, names) = match expr {
            Expr::Identifier(_, name) if !KNOWN.contains(&name.as_str()) => {
                return Err(fault(format!("function {name:?} not defined")));
            }
            Expr::Dot(_) => {
                self.asks_for_all(self.is_root);
                return Ok(());
            }
            Expr::Pipe(_, pipe) => return self.pipe(pipe),
            Expr::Chain(_, inner, names) => {
                self.expr(inner)?;
                ((**inner).clone(), std::mem::take(names))
            }
            Expr::Field(at, names) => {
                self.asks_for(names.first().filter(|_| self.is_root));
                (Expr::Dot(*at), std::mem::take(names))
            }
            Expr::Variable(at, name, names) => {
                if name == "$" {
                    self.asks_for_all(names.is_empty());
                    self.asks_for(names.first());
                }
                if names.is_empty() {
                    return Ok(());
                }
                (Expr::Variable(*at, name.clone(), Vec::new()), std::mem::take(names))
            }
            _ => return Ok(()),
        };
        *expr = field(expr.pos(), base, names);
        Ok(())
    }

    fn asks_for(&mut self, field: Option<&SmolStr>) {
        if let (Some(fields), Some(field)) = (&mut self.fields, field) {
            fields.insert(field.to_string());
        }
    }

    fn asks_for_all(&mut self, yes: bool) {
        if yes {
            self.fields = None;
        }
    }
}

/// `.Label` of the whole, as in Docker's lists.
fn is_label(expr: &Expr) -> bool {
    match expr {
        Expr::Field(_, names) => names.len() == 1 && names.iter().all(|name| name == "Label"),
        Expr::Variable(_, of, names) => {
            of == "$" && names.len() == 1 && names.iter().all(|name| name == "Label")
        }
        _ => false,
    }
}

/// `(.field BASE "NAME" …)`.
fn field(at: Pos, base: Expr, names: Vec<SmolStr>) -> Expr {
    let names = names.iter().map(|name| Expr::String(at, name.as_str().into()));
    let command = call(at, FIELD, std::iter::once(base).chain(names));
    Expr::Pipe(at, PipeNode { pos: at, decl: Vec::new(), commands: vec![command], is_assign: false })
}

fn call(at: Pos, name: &str, args: impl IntoIterator<Item = Expr>) -> CommandNode {
    let name = Expr::Identifier(at, name.into());
    CommandNode { pos: at, args: std::iter::once(name).chain(args).collect() }
}
