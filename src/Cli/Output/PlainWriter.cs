using System.Text;
using Weft.Convert;

namespace Weft.Cli.Output;

/// <summary>Writes text without control sequences: what models and files hold must not steer a terminal.</summary>
internal sealed class PlainWriter(TextWriter inner) : TextWriter
{
    /// <inheritdoc/>
    public override Encoding Encoding => inner.Encoding;

    /// <inheritdoc/>
    public override void Write(char value) => Write(value.ToString());

    /// <inheritdoc/>
    public override void Write(char[] buffer, int index, int count) => Write(new string(buffer, index, count));

    /// <inheritdoc/>
    public override void Write(ReadOnlySpan<char> buffer) => Write(buffer.ToString());

    /// <inheritdoc/>
    public override void Write(string? value) => inner.Write(value is null ? null : ControlCharacters.Spell(value));

    /// <inheritdoc/>
    public override void WriteLine(string? value) => inner.WriteLine(value is null ? null : ControlCharacters.Spell(value));

    /// <inheritdoc/>
    public override void Flush() => inner.Flush();
}
