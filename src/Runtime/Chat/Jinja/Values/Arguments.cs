namespace Weft.Chat.Jinja;

/// <summary>The arguments of a call, filter or test.</summary>
/// <param name="Positional">Arguments without a name.</param>
/// <param name="Named">Arguments with one; no name twice.</param>
internal sealed record Arguments(IReadOnlyList<Value> Positional, IReadOnlyList<KeyValuePair<string, Value>> Named)
{
    /// <summary>No arguments.</summary>
    public static readonly Arguments None = new([], []);

    /// <summary>Arranges the arguments in the order of a function's parameters; null where one is not given.</summary>
    /// <param name="function">Its name, for messages.</param>
    /// <param name="required">How many of the parameters must be given.</param>
    /// <param name="parameters">Their names.</param>
    public Value?[] Bind(string function, int required, params ReadOnlySpan<string> parameters)
    {
        if (Positional.Count > parameters.Length)
            throw new TemplateFailure($"{function}() takes at most {parameters.Length} argument(s) ({Positional.Count} given)");
        var bound = new Value?[parameters.Length];
        for (var i = 0; i < Positional.Count; i++)
            bound[i] = Positional[i];
        foreach (var (name, value) in Named)
        {
            var place = parameters.IndexOf(name);
            if (place < 0)
                throw new TemplateFailure($"{function}() got an unexpected keyword argument '{name}'");
            if (bound[place] is not null)
                throw new TemplateFailure($"{function}() got multiple values for argument '{name}'");
            bound[place] = value;
        }

        for (var i = 0; i < required; i++)
        {
            if (bound[i] is null)
                throw new TemplateFailure($"{function}() missing 1 required positional argument: '{parameters[i]}'");
        }

        return bound;
    }

    /// <summary>All but the first positional arguments.</summary>
    public Arguments Skip(int count) => new([.. Positional.Skip(count)], Named);
}
