namespace Weft.Backends.Cpu.Quantized;

/// <summary>Size of a code, known when code is compiled.</summary>
internal interface ICode
{
    static abstract int Bits { get; }
}

internal readonly struct Int4Code : ICode
{
    public static int Bits => 4;
}

internal readonly struct Int8Code : ICode
{
    public static int Bits => 8;
}
