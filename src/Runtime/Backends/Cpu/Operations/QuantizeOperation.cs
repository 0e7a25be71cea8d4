using Weft.Backends.Cpu.Quantized;
using Weft.Graph;

namespace Weft.Backends.Cpu.Operations;

/// <summary>What quantized products of one node read: its input as integers, once for each order of columns that they ask for.</summary>
/// <param name="Input">How rows are quantized.</param>
/// <param name="Address">Where the rows go.</param>
internal readonly record struct QuantizedRows(QuantizedInput Input, nint Address);

/// <summary>Quantizes the input of a <see cref="FusedLinearNode"/> with quantized weights.</summary>
internal sealed unsafe class QuantizeOperation(ProgramContext context, Value x, nint address, QuantizedRows[] targets)
    : RowOperation(context, x.Rows)
{
    protected override void RunRow(int row, int thread)
    {
        var input = (float*)address + ((nint)row * x.Width);
        foreach (var target in targets)
            target.Input.Quantize(input, (byte*)target.Address, row, Count);
    }
}
