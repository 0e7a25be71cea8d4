namespace Weft.Chat.Jinja;

/// <summary>
/// A value of a template. The types are Python's, because templates are written against them: their names appear in messages, and
/// their printed forms in the output. Values do not change; only namespaces, loops and iterators do.
/// </summary>
internal abstract class Value
{
    /// <summary>Python's name of the type.</summary>
    public abstract string TypeName { get; }

    /// <summary>The value as jinja2's messages name it.</summary>
    public virtual string Description => $"{TypeName} object";

    /// <summary>Whether it counts as true.</summary>
    public virtual bool IsTrue => Length is not 0;

    /// <summary>What len() gives; null where it fails.</summary>
    public virtual int? Length => null;

    /// <summary>Whether items can be asked for by a key or an index.</summary>
    public virtual bool HasItems => false;

    /// <summary>Whether it can be called.</summary>
    public virtual bool IsCallable => false;

    /// <summary>The method or property of that name, or null.</summary>
    public virtual Value? Attribute(string name) => null;

    /// <summary>The item with that key or index, or null where there is none or the value has no items.</summary>
    public virtual Value? Item(Value key, RenderState state) => null;

    /// <summary>The values that a loop over it sees; null where it cannot be iterated.</summary>
    public virtual IEnumerable<Value>? Elements(RenderState state) => null;

    /// <summary>Calls it.</summary>
    public virtual Value Call(Arguments arguments, RenderState state) =>
        throw new TemplateFailure($"'{TypeName}' object is not callable");

    /// <summary>Writes what repr() gives.</summary>
    public abstract void Represent(TextBuilder output);

    /// <summary>Writes what str() gives.</summary>
    public virtual void Print(TextBuilder output) => Represent(output);
}
