using Google.Protobuf;
using Weft.Convert.Tokenizers;

namespace Weft.Convert.Tests.Support;

/// <summary>Writes small SentencePiece models, in the fields of sentencepiece_model.proto.</summary>
internal static class SentencePieceBytes
{
    private const int Unigram = 1;

    /// <summary>The pieces that most models begin with, in SentencePiece's own order.</summary>
    public static IReadOnlyList<Piece> Beginning { get; } =
        [new("<unk>", 0, PieceType.Unknown), new("<s>", 0, PieceType.Control), new("</s>", 0, PieceType.Control)];

    /// <summary>A model of normal pieces, of which earlier ones are the likelier.</summary>
    public static byte[] Write(IReadOnlyList<Piece> beginning, params string[] pieces) =>
        Write([.. beginning, .. pieces.Select((text, i) => new Piece(text, -1 - i, PieceType.Normal))], Unigram);

    /// <summary>A model.</summary>
    public static byte[] Write(IReadOnlyList<Piece> pieces, int type, byte[]? characterMap = null)
    {
        return Message(model =>
        {
            foreach (var piece in pieces)
            {
                Part(model, 1, part =>
                {
                    part.WriteTag(1, WireFormat.WireType.LengthDelimited);
                    part.WriteString(piece.Text);
                    part.WriteTag(2, WireFormat.WireType.Fixed32);
                    part.WriteFloat(piece.Score);
                    part.WriteTag(3, WireFormat.WireType.Varint);
                    part.WriteEnum((int)piece.Type);
                });
            }

            Part(model, 2, trainer =>
            {
                trainer.WriteTag(3, WireFormat.WireType.Varint);
                trainer.WriteEnum(type);
            });
            Part(model, 3, normalizer =>
            {
                normalizer.WriteTag(2, WireFormat.WireType.LengthDelimited);
                normalizer.WriteBytes(ByteString.CopyFrom(characterMap ?? []));
            });
        });
    }

    private static void Part(CodedOutputStream stream, int field, Action<CodedOutputStream> write)
    {
        stream.WriteTag(field, WireFormat.WireType.LengthDelimited);
        stream.WriteBytes(ByteString.CopyFrom(Message(write)));
    }

    private static byte[] Message(Action<CodedOutputStream> write)
    {
        using var bytes = new MemoryStream();
        using (var stream = new CodedOutputStream(bytes, leaveOpen: true))
            write(stream);
        return bytes.ToArray();
    }
}
