//! The engine: runs a plan, sandbox, hooks, package managers, event stream
