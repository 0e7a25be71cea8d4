using System.Text;
using Weft.Chat;
using Weft.Cli.Output;

namespace Weft.Cli.Chat;

/// <summary>Shows an answer as it comes: thoughts dimmed on a screen, between their marks elsewhere, or not at all.</summary>
internal sealed class AnswerWriter(Terminal terminal, bool hidesThoughts, bool isOpen)
{
    private const string Dim = "\e[2m";
    private const string Plain = "\e[22m";

    private readonly ReasoningSplitter splitter = new(isOpen);
    private readonly StringBuilder reasoning = new();
    private readonly StringBuilder answer = new();
    private bool isThinking;

    /// <summary>The thoughts.</summary>
    public string Reasoning => reasoning.ToString();

    /// <summary>The answer without them.</summary>
    public string Answer => answer.ToString();

    /// <summary>Shows more text.</summary>
    public void Write(string text) => Show(splitter.Push(text));

    /// <summary>Shows what was held back, and ends the line.</summary>
    public void Finish()
    {
        Show(splitter.Finish());
        EndThoughts();
        if (answer.Length == 0 || answer[^1] != '\n')
            terminal.Out.WriteLine();
    }

    private void Show((string Reasoning, string Answer) news)
    {
        reasoning.Append(news.Reasoning);
        answer.Append(news.Answer);
        if (news.Reasoning.Length > 0 && !hidesThoughts)
        {
            if (!isThinking)
                Mark(Dim, "<think>\n");
            isThinking = true;
            terminal.Out.Write(news.Reasoning);
        }

        if (news.Answer.Length == 0)
            return;
        EndThoughts();
        terminal.Out.Write(news.Answer);
    }

    private void EndThoughts()
    {
        if (!isThinking)
            return;
        isThinking = false;
        Mark(Plain, "\n</think>");
        terminal.Out.Write("\n\n");
    }

    private void Mark(string style, string text)
    {
        terminal.Style(style);
        if (!terminal.IsStyled)
            terminal.Out.Write(text);
    }
}
