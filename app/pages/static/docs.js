// Shows the document; sending requests from the page is off, since every request needs a proof of possession.

// The document has hundreds of operations, and Swagger UI's own resolver reads all of it, for seconds, whenever one is opened. Every
// reference is to a part of the same document, so that only what is opened needs to be put together.
function resolved(document, part, within = []) {
  if (Array.isArray(part)) return part.map((each) => resolved(document, each, within));
  if (part === null || typeof part !== "object") return part;
  const { $ref, ...beside } = part;
  if (typeof $ref !== "string") return together(mapped(part, (each) => resolved(document, each, within)));
  if (within.includes($ref)) return part; // inside of itself: shown as a reference
  const there = $ref.split("/").slice(1).reduce((found, key) => found[key], document);
  return { ...resolved(document, there, [...within, $ref]), ...beside, $$ref: $ref };
}

// What is described by several schemas at once is shown as one; conditions stay apart.
function together(schema) {
  if (!Array.isArray(schema.allOf) || schema.allOf.some((part) => "if" in part)) return schema;
  const { allOf, ...beside } = schema;
  return [...allOf, beside].reduce(merged);
}

function merged(one, other) {
  const both = (value, also) => value && also && typeof value === "object" && typeof also === "object" && !Array.isArray(also);
  return Object.fromEntries(
    Object.keys({ ...one, ...other }).map((key) => {
      if (!(key in other)) return [key, one[key]];
      return [key, both(one[key], other[key]) ? merged(one[key], other[key]) : other[key]];
    }),
  );
}

function mapped(object, change) {
  return Object.fromEntries(Object.entries(object).map(([key, value]) => [key, change(value)]));
}

// A sample is for reading: what a pattern allows at random is not, and takes longer to make up than all the rest.
function withoutPatterns(part) {
  if (Array.isArray(part)) return part.map(withoutPatterns);
  if (part === null || typeof part !== "object") return part;
  const { pattern, ...rest } = part;
  return mapped(typeof pattern === "string" ? rest : part, withoutPatterns);
}

// The box above finds operations by any of the words they are listed with, not only groups by their name.
function found(groups, phrase) {
  const words = phrase.toLowerCase().split(/\s+/).filter(Boolean);
  const matches = (operation, group) => {
    const text = [group, operation.get("method"), operation.get("path"), operation.getIn(["operation", "summary"])];
    return words.every((word) => text.join(" ").toLowerCase().includes(word));
  };
  return groups
    .map((group, name) => group.update("operations", (all) => all.filter((operation) => matches(operation, name))))
    .filter((group) => group.get("operations").size > 0);
}

function lightly(system) {
  return {
    fn: {
      resolveSubtree: async (document, path) => ({
        spec: resolved(document, path.reduce((part, key) => part?.[key], document)),
        errors: [],
      }),
      getSampleSchema: (schema, ...rest) =>
        system.fn.jsonSchema202012.getSampleSchema(withoutPatterns(schema?.toJS?.() ?? schema), ...rest),
      opsFilter: found,
    },
    statePlugins: {
      // it is JSON: reading it as YAML takes ten times as long
      spec: { wrapActions: { parseToJson: (_, { specActions }) => (text) => specActions.updateJsonSpec(JSON.parse(text)) } },
    },
    wrapComponents: {
      // groups are folded, except those of what was looked for
      OperationTag: (Group, { React }) => (props) => {
        const looking = typeof props.layoutSelectors.currentFilter() === "string" && props.layoutSelectors.currentFilter() !== "";
        const configs = () => ({ ...props.getConfigs(), docExpansion: looking ? "list" : "none" });
        return React.createElement(Group, { ...props, getConfigs: configs });
      },
      // one for each type of event
      Webhooks: (Messages, { React }) => (props) => {
        const [open, setOpen] = React.useState(window.location.hash.startsWith("#/webhooks"));
        return React.createElement(
          "details",
          { className: "messages", open, onToggle: (event) => setOpen(event.currentTarget.open) },
          React.createElement("summary", null, "Messages that webhooks are sent"),
          open && React.createElement(Messages, props),
        );
      },
    },
  };
}

window.addEventListener("load", () => {
  window.ui = SwaggerUIBundle({
    url: "/openapi.json",
    dom_id: "#swagger-ui",
    deepLinking: true,
    docExpansion: "none",
    filter: true,
    supportedSubmitMethods: [],
    defaultModelsExpandDepth: 0,
    presets: [SwaggerUIBundle.presets.apis],
    plugins: [lightly],
    validatorUrl: null,
    onComplete: () => document.querySelector(".operation-filter-input").setAttribute("placeholder", "Find an operation"),
  });
});
