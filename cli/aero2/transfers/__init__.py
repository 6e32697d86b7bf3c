"""Takes an application from one deployment to another: `aero2 apps export` and `import` (docs/adr/0034)."""
