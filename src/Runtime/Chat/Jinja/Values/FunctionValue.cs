namespace Weft.Chat.Jinja;

/// <summary>A global function or a method of a value.</summary>
internal sealed class FunctionValue(string name, Func<Arguments, RenderState, Value> body) : Value
{
    /// <inheritdoc/>
    public override string TypeName => "builtin_function_or_method";

    /// <inheritdoc/>
    public override bool IsCallable => true;

    /// <inheritdoc/>
    public override Value Call(Arguments arguments, RenderState state) => body(arguments, state);

    /// <inheritdoc/>
    public override void Represent(TextBuilder output) => output.Append($"<function {name}>");
}
