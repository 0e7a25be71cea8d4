using Weft.Backends.Cpu.Quantized;
using Weft.Graph;

namespace Weft.Backends.Cpu.Operations;

/// <summary>What quantized products of one node read: its input as 8-bit numbers, once for each order of columns that they ask for.</summary>
/// <param name="Input">How rows are quantized.</param>
/// <param name="Address">Where the rows go.</param>
internal readonly unsafe record struct QuantizedRows(QuantizedInput Input, nint Address)
{
    /// <summary>Where a row is.</summary>
    public byte* Row(int row) => (byte*)Address + ((nint)row * Input.Bytes);
}

/// <summary>Quantizes the input of a <see cref="FusedLinearNode"/> with quantized weights.</summary>
internal sealed unsafe class QuantizeOperation(ProgramContext context, Value x, nint address, QuantizedRows[] targets)
    : RowOperation(context, x.Rows)
{
    protected override void RunRow(int row, int thread)
    {
        var input = (float*)address + ((nint)row * x.Width);
        foreach (var target in targets)
            target.Input.Quantize(input, target.Row(row));
    }
}
