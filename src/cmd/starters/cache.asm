;! title    = "a call behind an inline cache: a cell of data that a miss fills"
;! heap     = "iface"                   ; rax = itab, rbx = pointer to an object
;! types    = "main.T{t}"
;! methods  = ["Id"]
;! params   = { targets = 1, order = "cyclic", objects = 64 }
;! result   = "eax"
;! expect   = "id+type"
;! dispatch = "site"
;! clobbers = "all"
;! expand   = true
body:
        cmp  rax, ["main.cell"]         ; the itab that was met last
site:   jne  miss
        mov  rax, rbx
        call ["main.cell" + 8]          ; and the method that it led to
        jmp  done
miss:   mov  rcx, [rax + 24]            ; itab.fun[0]
        mov  ["main.cell"], rax         ; code is read-only: what changes is data
        mov  ["main.cell" + 8], rcx
        mov  rax, rbx
        call rcx
done:

{% for type in types %}
func "main.(*T{{ type.index }}).Id":
        mov  eax, [rax]
        add  eax, {{ type.index + 1 }}
        ret
{% endfor %}

data "main.cell": dq 0, 0
