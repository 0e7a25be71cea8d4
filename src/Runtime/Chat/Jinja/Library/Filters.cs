using System.Collections.Frozen;

namespace Weft.Chat.Jinja;

/// <summary>A filter: a function of a value and arguments.</summary>
internal delegate Value Filter(Value value, Arguments arguments, RenderState state);

/// <summary>The filters by name.</summary>
internal static class Filters
{
    private static readonly FrozenDictionary<string, Filter> All =
        TextFilters.All.Concat(ListFilters.All).Concat(SortFilters.All).Concat(SelectFilters.All).Concat(NumberFilters.All).ToFrozenDictionary();

    /// <summary>Whether there is a filter of that name.</summary>
    public static bool Exists(string name) => All.ContainsKey(name);

    /// <summary>Filters a value.</summary>
    public static Value Call(string name, Value value, Arguments arguments, RenderState state) =>
        All.TryGetValue(name, out var filter) ? filter(value, arguments, state) : throw new TemplateFailure($"No filter named '{name}' found.");
}
